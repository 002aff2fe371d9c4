#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Certificates both ways, ECDSA P-256 with x25519: the client gets in, by its subjectAltName.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org eku=clientAuth
pki_gateway gw ca
client_start
pki_client alice ca vips=0.0.0.0 proposals=aes128gcm16-prfsha256-x25519
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and .[0].identity == "alice@example.org"' 'alice'
expect_log client "authentication of 'gw.example.org' with ECDSA_WITH_SHA256_DER successful"
