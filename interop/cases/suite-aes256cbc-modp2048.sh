#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'AES-256-CBC with HMAC-SHA-256, and modp2048: what old clients have.'

gateway_start proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256
client_start
client_configure proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256
expect_up
expect_flow v4 v6
expect_log client 'selected proposal: IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048'
expect_log client 'selected proposal: ESP:AES_CBC_256/HMAC_SHA2_256_128/NO_EXT_SEQ'
