#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'The client authenticates without a tunnel (RFC 6023) and makes its CHILD SA afterwards.'

gateway_start
client_start
client_configure more='childless = force'
expect_up
expect_client child 1
expect_flow v4
expect_log client 'CHDLESS_SUP'
client_rekey child
gateway_rekey ike
expect_flow v4
