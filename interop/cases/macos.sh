#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'macOS: one proposal, no KE payload in CHILD SAs ever, both families; each side rekeys.'

eap_gateway networks='0.0.0.0/0, "::/0"'
client_start
eap_client alice wonderland id=alices-mac more='send_certreq = no' remote_ts=0.0.0.0/0,::/0 \
	proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256
expect_up
expect_log client 'TS 10\.10\.0\.1/32 fd10::1/128 === 0\.0\.0\.0/0 ::/0'
expect_flow v4 v6
client_rekey child || fail 'no rekey of the CHILD SA'
expect_client child 1
expect_flow v4
gateway_rekey child
expect_client child 1
expect_flow v4
gateway_rekey ike
expect_client ike 1
expect_flow v4 v6
