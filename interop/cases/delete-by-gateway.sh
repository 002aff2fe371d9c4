#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The operator ends the SA at the gateway; the client is told.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4
gateway_terminate
expect_client ike 0
expect_sas '.sas | length == 0' 'no SA'
expect_no_flow
