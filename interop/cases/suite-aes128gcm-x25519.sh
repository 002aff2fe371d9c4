#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'AES-128-GCM and x25519.'

gateway_start proposals=aes128gcm16-prfsha256-x25519 esp_proposals=aes128gcm16
client_start
client_configure proposals=aes128gcm16-prfsha256-x25519 esp_proposals=aes128gcm16
expect_up
expect_flow v4 v6
expect_log client 'selected proposal: IKE:AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519'
expect_log client 'selected proposal: ESP:AES_GCM_16_128/NO_EXT_SEQ'
