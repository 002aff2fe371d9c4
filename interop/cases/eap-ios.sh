#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'As a profile of iOS connects: one proposal, no CERTREQ, PFS at the rekey of the CHILD SA; then the rekey.'

eap_gateway
client_start
eap_client alice wonderland vips=0.0.0.0 proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256-modp2048 more='send_certreq = no'
expect_up
expect_flow v4
client_rekey child || fail 'no rekey of the CHILD SA'
expect_client child 1
expect_flow v4
client_rekey ike || fail 'no rekey of the IKE SA'
expect_client ike 1
expect_sas '.sas | length == 1 and .[0].identity == "alice" and .[0].auth == "eap-mschapv2"' 'still alice'
expect_flow v4
