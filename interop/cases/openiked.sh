#!/usr/bin/env bash
# needs esp
CLIENT=openiked
. "$(dirname "$0")/../lib.sh"
story 'OpenIKED connects with a PSK, gets an inner address, is rekeyed by us, and says goodbye.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and (.[0] | .state == "ESTABLISHED" and .identity == "client@example.org" and (.inner | index("10.10.0.1")))' 'one client'
gateway_rekey child
expect_client child 1
expect_flow v4
gateway_rekey ike
expect_client ike 1
expect_flow v4
client_down
expect_sas '.sas | length == 0' 'nobody is left'
