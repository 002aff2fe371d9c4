#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../lib.sh"
story 'Every cipher, hash and group of ours for IKE, one after the other: the client connects and rekeys with it.'

gateway_start proposals="$(tr '\n' ',' <<-EOT
	aes128gcm16-aes192gcm16-aes256gcm16-aes128gcm12-aes256gcm8-chacha20poly1305-aes128ccm16-aes256ccm16-prfsha256-prfsha384-prfsha512-x25519-x448-ecp256-ecp384-ecp521-modp2048-modp3072-modp4096-modp6144-modp8192
	aes128-aes192-aes256-aes128ctr-aes256ctr-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-x25519-x448-ecp256-ecp384-ecp521-modp2048-modp3072
EOT
)"
client_start
while read -r proposal name; do
	client_configure proposals="$proposal" vips=0.0.0.0 remote_ts=10.1.0.0/24
	expect_up
	expect_log client "selected proposal: IKE:$name\$"
	expect_flow v4
	client_rekey ike || fail "no rekey of the IKE SA with $proposal"
	expect_client ike 1
	client_down
done <<-EOT
	aes128gcm16-prfsha256-x25519 AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519
	aes192gcm16-prfsha384-ecp384 AES_GCM_16_192/PRF_HMAC_SHA2_384/ECP_384
	aes256gcm16-prfsha512-ecp521 AES_GCM_16_256/PRF_HMAC_SHA2_512/ECP_521
	aes128gcm12-prfsha256-ecp256 AES_GCM_12_128/PRF_HMAC_SHA2_256/ECP_256
	aes256gcm8-prfsha256-modp2048 AES_GCM_8_256/PRF_HMAC_SHA2_256/MODP_2048
	chacha20poly1305-prfsha256-x448 CHACHA20_POLY1305/PRF_HMAC_SHA2_256/CURVE_448
	aes128ccm16-prfsha256-modp3072 AES_CCM_16_128/PRF_HMAC_SHA2_256/MODP_3072
	aes256ccm16-prfsha512-modp4096 AES_CCM_16_256/PRF_HMAC_SHA2_512/MODP_4096
	aes256gcm16-prfsha384-modp6144 AES_GCM_16_256/PRF_HMAC_SHA2_384/MODP_6144
	aes256gcm16-prfsha384-modp8192 AES_GCM_16_256/PRF_HMAC_SHA2_384/MODP_8192
	aes128-sha256-modp2048 AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048
	aes192-sha384-ecp384 AES_CBC_192/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/ECP_384
	aes256-sha512-ecp521 AES_CBC_256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/ECP_521
	aes128ctr-sha256-x25519 AES_CTR_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519
	aes256ctr-sha512-x448 AES_CTR_256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/CURVE_448
EOT
