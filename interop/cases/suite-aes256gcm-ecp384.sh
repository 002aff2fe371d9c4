#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'AES-256-GCM, SHA-384 and ecp384; no default of either side.'

gateway_start proposals=aes256gcm16-prfsha384-ecp384 esp_proposals=aes256gcm16
client_start
client_configure proposals=aes256gcm16-prfsha384-ecp384 esp_proposals=aes256gcm16
expect_up
expect_flow v4 v6
expect_log client 'selected proposal: IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_384'
expect_log client 'selected proposal: ESP:AES_GCM_16_256/NO_EXT_SEQ'
