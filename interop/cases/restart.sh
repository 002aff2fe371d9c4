#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The gateway restarts: every identity still has its address, whoever comes first.'

gateway_start
client_start
client_configure id=anna@example.org
expect_up
client_down
client_configure id=bert@example.org
expect_up
bert=$(client_inner v4)
client_down
gateway_stop || fail 'the gateway did not end well'
gateway_start
expect_up
if [[ $GATEWAY == gatewayd ]]; then # charon forgets
	[[ $(client_inner v4) == "$bert" ]] || fail "bert had $bert, now $(client_inner v4)"
fi
expect_flow v4 v6
