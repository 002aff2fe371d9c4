#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'EAP-TLS with a revoked certificate: refused; others of the same authority get in.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org eku=clientAuth
pki_cert bob ca san=email:bob@example.org eku=clientAuth
pki_revoke ca alice
pki_crl ca
pki_gateway gw ca auth=eap-tls authority="crl: [$PKI/ca.crl], revocation: strict"
client_start
pki_client alice ca auth=eap-tls remote_auth=pubkey
expect_refused
expect_one_log gateway 'refused alice@example.org .*revoked'
pki_client bob ca auth=eap-tls vips=0.0.0.0 remote_auth=pubkey
expect_up
expect_flow v4
