#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A gateway that gives one pair of selectors to each CHILD SA: the client gets the first, and no more.'

gateway_start child_more='single_pair: true'
client_start
client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
expect_sas '.sas[0].children[0] | (.local_ts | length == 1) and (.remote_ts | length == 1)' 'one selector a side'
expect_flow v4
gateway_rekey child
expect_client child 1
expect_flow v4
