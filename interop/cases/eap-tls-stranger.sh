#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'EAP-TLS with a certificate of another authority: refused, by an alert, and the log says which certificate.'

pki_ca ca
pki_ca other
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice other san=email:alice@example.org eku=clientAuth
pki_gateway gw ca auth=eap-tls
client_start
pki_client alice ca chain=other auth=eap-tls remote_auth=pubkey
expect_refused
expect_log client 'fatal TLS alert'
expect_one_log gateway 'refused alice@example.org '
expect_sas '.sas | length == 0' 'no SA'
