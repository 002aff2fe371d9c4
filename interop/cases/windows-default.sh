#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'Windows 10 as it is: modp1024 and SHA-1, no RFC 7427, no IDr, its address as IDi, EAP; with compat: windows-legacy only.'

eap_gateway key=rsa2048
client_start 'signature_authentication = no'
eap_client 'CORP\bob@example.org' builder vips=0.0.0.0 id=10.0.0.7 gateway_id=%any remote_ts=0.0.0.0/0 \
	proposals=3des-sha1-modp1024,aes256-sha1-modp1024,3des-sha256-modp1024,aes256-sha256-modp1024,aes256-sha384-modp1024 \
	esp_proposals=aes256-sha1,aes128-sha1,3des-sha1
expect_refused
expect_log gateway 'refused: no common IKE proposal: no common group: offered modp1024; configured x25519, ecp256, ecp384, modp3072, modp2048 '
sed -i 's/^    pools: \[clients, clients6\]/&\n    compat: windows-legacy/' "$RIG/gateway/gateway.yaml"
gateway_ctl reload >/dev/null
expect_up
expect_sas '.sas | length == 1 and .[0].identity == "bob@example.org" and (.[0].ike.proposal | test("aes256-sha(256|1)-.*modp1024"))' 'bob, with what Windows has'
expect_log client 'authentication of .gw.example.org. with RSA signature successful|with RSA_EMSA_PKCS1'
expect_flow v4
client_rekey child || fail 'no rekey of the CHILD SA without a KE payload'
expect_client child 1
expect_flow v4
client_rekey ike || fail 'no rekey of the IKE SA'
expect_client ike 1
expect_flow v4
