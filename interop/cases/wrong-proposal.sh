#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'No common IKE proposal: NO_PROPOSAL_CHOSEN; one line at the gateway shows what was offered and what is configured.'

gateway_start proposals=aes256gcm16-prfsha384-x25519
client_start
client_configure proposals=aes128-sha256-modp2048
expect_refused
expect_log client 'NO_PROPOSAL_CHOSEN'
[[ $GATEWAY == charon ]] || expect_one_log gateway '192\.0\.2\.10.*aes128.*aes256gcm16'
expect_sas '.sas | length == 0' 'no SA'
