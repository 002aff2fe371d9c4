#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'No common ESP proposal: NO_PROPOSAL_CHOSEN for the CHILD SA; the log shows both sides of it.'

gateway_start esp_proposals=chacha20poly1305
client_start
client_configure esp_proposals=aes128-sha256
expect_refused
expect_log client 'NO_PROPOSAL_CHOSEN'
[[ $GATEWAY == charon ]] || expect_one_log gateway 'client@example\.org.*aes128.*chacha20poly1305'
expect_no_flow
