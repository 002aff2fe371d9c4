#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The gateway is stopped in order: it tells its clients, and ends well.'

gateway_start
client_start
client_configure
expect_up
gateway_stop || fail 'the gateway did not end well'
expect_client ike 0
