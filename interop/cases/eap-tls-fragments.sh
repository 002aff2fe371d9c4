#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'EAP-TLS with RSA keys and an intermediate authority on both sides: fragments both ways.'

pki_ca ca key=rsa3072
pki_ca mid ca key=rsa3072
pki_cert gw mid key=rsa3072 san=DNS:gw.example.org eku=serverAuth
pki_cert alice mid key=rsa3072 san=email:alice@example.org eku=clientAuth
pki_gateway gw ca chain=mid auth=eap-tls
client_start
pki_client alice ca chain=mid auth=eap-tls vips=0.0.0.0 remote_auth=pubkey
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and .[0].identity == "alice@example.org"' 'alice'
