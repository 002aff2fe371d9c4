#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Certificates both ways with keys of Ed25519.'

pki_ca ca key=ed25519
pki_cert gw ca key=ed25519 san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca key=ed25519 san=email:alice@example.org
pki_gateway gw ca
client_start
pki_client alice ca
expect_up
expect_flow v4
