#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Under load (a threshold of 0) the client must first return a COOKIE.'

gateway_start cookie_threshold=0
client_start
client_configure
expect_up
# charon takes 0 for "never".
[[ $GATEWAY == charon ]] ||
	expect_log client 'parsed IKE_SA_INIT response 0 \[ N\(COOKIE\) \]'
expect_flow v4
