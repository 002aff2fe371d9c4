#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'Windows as docs/clients.md sets it up: GCMAES256, ECP384, PFS; our certificate is ECDSA P-384, by method 10.'

eap_gateway key=p384
client_start 'signature_authentication = no'
eap_client 'CORP\bob@example.org' builder vips=0.0.0.0 id=10.0.0.7 gateway_id=%any remote_ts=0.0.0.0/0 \
	proposals=aes256gcm16-prfsha384-ecp384 esp_proposals=aes256gcm16-ecp384
expect_up
expect_sas '.sas | length == 1 and .[0].identity == "bob@example.org" and (.[0].ike.proposal | test("ecp384"))' 'bob'
expect_log client 'authentication of .gw.example.org. with ECDSA-384 signature successful'
expect_flow v4
client_rekey child || fail 'no rekey of the CHILD SA with PFS'
expect_client child 1
expect_flow v4
gateway_rekey child
expect_client child 1
expect_flow v4
client_rekey ike || fail 'no rekey of the IKE SA'
expect_client ike 1
expect_flow v4
