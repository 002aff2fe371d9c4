#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'ChaCha20-Poly1305 and ecp256.'

gateway_start proposals=chacha20poly1305-prfsha256-ecp256 esp_proposals=chacha20poly1305
client_start
client_configure proposals=chacha20poly1305-prfsha256-ecp256 esp_proposals=chacha20poly1305
expect_up
expect_flow v4 v6
expect_log client 'selected proposal: IKE:CHACHA20_POLY1305/PRF_HMAC_SHA2_256/ECP_256'
expect_log client 'selected proposal: ESP:CHACHA20_POLY1305/NO_EXT_SEQ'
