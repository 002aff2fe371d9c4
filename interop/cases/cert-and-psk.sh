#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'On one address: a client with a shared key and one with a certificate, by the same connection.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org
pki_gateway gw ca auth='psk, cert' psk=$STORY_PSK
client_start
pki_client alice ca
expect_up
expect_flow v4
client_down
client_configure remote_auth=pubkey
expect_up
expect_flow v4
expect_sas '.sas[0].identity == "client@example.org"' 'the one with the key'
