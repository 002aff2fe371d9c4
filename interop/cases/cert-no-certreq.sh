#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'A client that asks for no certificate gets ours all the same (Apple, Android).'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org
pki_gateway gw ca
client_start
pki_client alice ca more='send_certreq = no'
expect_up
expect_flow v4
expect_log client 'received end entity cert .*CN=gw'
