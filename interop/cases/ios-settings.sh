#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'iOS set up by its settings screen: its list of proposals, an RSA certificate, no CERTREQ; rekeys with a KE payload and without.'

eap_gateway key=rsa2048
client_start
eap_client alice wonderland vips=0.0.0.0 id=alices-iphone remote_ts=0.0.0.0/0 more='send_certreq = no' \
	proposals=aes256-sha256-modp2048,aes256-sha256-ecp256,aes256-sha256-modp1536,aes128-sha1-modp1024 \
	esp_proposals=aes256-sha256-modp2048,aes256-sha256
expect_up
expect_sas '.sas | length == 1 and .[0].identity == "alice" and (.[0].ike.proposal | test("modp2048"))' 'alice'
expect_flow v4
client_rekey child || fail 'no rekey of the CHILD SA'
expect_client child 1
expect_flow v4
gateway_rekey child
expect_client child 1
expect_flow v4
client_rekey ike || fail 'no rekey of the IKE SA'
expect_client ike 1
expect_flow v4
