#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'EAP-only (RFC 5998): the client wants no certificate in IKE, since EAP-TLS proves the gateway, too.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org eku=clientAuth
pki_gateway gw ca auth=eap-tls eap='{only: true}'
client_start
pki_client alice ca auth=eap-tls vips=0.0.0.0 remote_auth=eap-tls
expect_up
expect_flow v4
expect_log client 'allow mutual EAP-only authentication'
expect_log gateway 'EAP, which is to prove us, too'
expect_sas '.sas | length == 1 and .[0].auth == "eap-tls"' 'alice'
