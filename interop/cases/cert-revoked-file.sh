#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'A list of revoked certificates in a file: who is on it stays out; who comes onto it later goes, after a reload.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org
pki_cert bob ca san=email:bob@example.org
pki_revoke ca bob
pki_crl ca
pki_gateway gw ca authority="crl: $PKI/ca.crl, revocation: strict"
client_start
pki_client bob ca
expect_refused
expect_log client 'AUTHENTICATION_FAILED'
expect_one_log gateway 'refused bob@example\.org .*revoked'
pki_client alice ca
expect_up
expect_flow v4
pki_revoke ca alice
sleep 1.1 # a list is newer by seconds
pki_crl ca
gateway_ctl reload >/dev/null
expect_log gateway 'alice@example\.org.*down: its certificate was revoked'
expect_client ike 0
expect_sas '.sas | length == 0' 'no SA'
