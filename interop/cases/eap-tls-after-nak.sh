#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'Passwords and certificates on one connection: who wants EAP-TLS says so by a Nak to EAP-MSCHAPv2.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org eku=clientAuth
pki_gateway gw ca auth='eap-mschapv2, eap-tls' users='bob: {password: builder}'
client_start
pki_client alice ca auth=eap-tls vips=0.0.0.0 remote_auth=pubkey
expect_up
expect_sas '.sas | map(select(.identity == "alice@example.org" and .auth == "eap-tls")) | length == 1' 'alice'
client_down
eap_client bob builder vips=0.0.0.0
expect_up
expect_flow v4
expect_sas '.sas | map(select(.identity == "bob" and .auth == "eap-mschapv2")) | length == 1' 'bob'
