#!/usr/bin/env bash
# quick
# needs esp
. "$(dirname "$0")/../lib.sh"
story 'The kernel as the client: every cipher of ours for ESP with 32-bit sequence numbers, one after the other, packets flow in both families.'

gateway_start
client_start
while read -r proposal name; do
	client_configure esp_proposals="$proposal-noesn"
	expect_up
	expect_log client "selected proposal: ESP:$name/NO_EXT_SEQ"
	expect_flow v4 v6
	client_down
done <<-EOT
	aes128gcm16 AES_GCM_16_128
	aes256gcm16 AES_GCM_16_256
	chacha20poly1305 CHACHA20_POLY1305
	aes128-sha256 AES_CBC_128/HMAC_SHA2_256_128
	aes256-sha256 AES_CBC_256/HMAC_SHA2_256_128
	aes256-sha512 AES_CBC_256/HMAC_SHA2_512_256
EOT
