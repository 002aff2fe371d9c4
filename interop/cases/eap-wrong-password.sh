#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'A wrong password: EAP fails, one line at the gateway names the user and the reason, and nothing is left.'

eap_gateway
client_start
eap_client alice wunderland
expect_refused
expect_log client 'EAP-MS-CHAPv2 failed with error ERROR_AUTHENTICATION_FAILURE'
expect_log gateway 'refused alice .*wrong password of user .alice.'
expect_log gateway 'the peer gives up: AUTHENTICATION_FAILED'
expect_sas '.sas | length == 0' 'no SA'
expect_no_flow
# the right one works right after
eap_client alice wonderland vips=0.0.0.0
expect_up
