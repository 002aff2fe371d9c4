#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'PSK, certificates and passwords side by side on one address: each client gets in its own way.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org eku=clientAuth
pki_gateway gw ca auth='psk, cert, eap-mschapv2' psk="$STORY_PSK" users='bob: {password: builder}'
client_start
pki_client alice ca vips=0.0.0.0
expect_up
expect_sas '.sas | map(select(.identity == "alice@example.org" and .auth == "cert")) | length == 1' 'alice by certificate'
client_down
eap_client bob builder vips=0.0.0.0
expect_up
expect_sas '.sas | map(select(.identity == "bob" and .auth == "eap-mschapv2")) | length == 1' 'bob by password'
client_down
client_configure vips=0.0.0.0 remote_auth=pubkey
expect_up
expect_sas '.sas | map(select(.identity == "client@example.org" and .auth == "psk")) | length == 1' 'a client by shared key'
