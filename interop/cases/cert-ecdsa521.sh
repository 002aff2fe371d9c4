#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Certificates both ways with keys of ECDSA P-521.'

pki_ca ca key=p521
pki_cert gw ca key=p521 san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca key=p521 san=email:alice@example.org
pki_gateway gw ca
client_start
pki_client alice ca
expect_up
expect_flow v4
