#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The client says goodbye: first to the CHILD SA, then to the IKE SA; the gateway forgets both.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4
client_down_child
expect_client child 0
expect_sas '.sas | length == 1 and (.[0].children | length == 0)' 'an IKE SA without CHILD SA'
expect_no_flow
client_up
expect_flow v4
client_down
expect_sas '.sas | length == 0' 'no SA'
