#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A wrong PSK: the client is told AUTHENTICATION_FAILED; one line at the gateway names the peer and the reason.'

gateway_start
client_start
client_configure psk=something-else
expect_refused
expect_log client 'AUTHENTICATION_FAILED'
[[ $GATEWAY == charon ]] ||
	expect_one_log gateway 'client@example\.org.*wrong shared key'
expect_sas '.sas | length == 0' 'no SA'
expect_no_flow
