#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Without RFC 7427 at the client: RSA with SHA-1 (method 1), and ECDSA by the methods that name the curve.'

pki_ca ca
pki_cert gw-rsa ca key=rsa2048 san=DNS:gw.example.org eku=serverAuth
pki_cert gw-ec ca key=p384 san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca key=rsa2048 san=email:alice@example.org
pki_cert bob ca key=p521 san=email:bob@example.org
pki_gateway 'gw-ec gw-rsa' ca
client_start 'signature_authentication = no'
pki_client alice ca
expect_up
expect_flow v4
expect_log client "authentication of 'gw.example.org' with ECDSA-384 signature successful"
client_down
pki_client bob ca
expect_up
# Whoever asks for no certificate is one of those that know RSA best.
client_down
pki_client alice ca more='send_certreq = no'
expect_up
expect_log client "authentication of 'gw.example.org' with RSA signature successful"
