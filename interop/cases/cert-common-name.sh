#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'A client that says its commonName, as Windows does: in with id_match: cn, not without.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert laptop ca eku=clientAuth subject=/C=DE/O=Example/CN=laptop.corp.example
pki_gateway gw ca more='id_match: cn'
client_start
pki_client laptop ca id=keyid:laptop.corp.example
expect_up
expect_flow v4
