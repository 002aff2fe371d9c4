#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'EAP-TLS with TLS 1.2: a certificate within EAP; the session is who the certificate says.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org eku=clientAuth
pki_gateway gw ca auth=eap-tls
client_start
pki_client alice ca auth=eap-tls vips=0.0.0.0 remote_auth=pubkey
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and .[0].identity == "alice@example.org" and .[0].auth == "eap-tls"' 'alice, by her certificate'
expect_log client 'negotiated TLS 1.2'
expect_log client 'EAP method EAP_TLS succeeded, MSK established'
