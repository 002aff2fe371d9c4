#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Distinguished names on both sides; the client is let in by a pattern of one.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca
pki_gateway gw ca id='CN=gw, O=Example, C=DE' more='ids: ["CN=*, O=Example, C=DE"]'
client_start
pki_client alice ca id='C=DE, O=Example, CN=alice' gateway_id='C=DE, O=Example, CN=gw'
expect_up
expect_flow v4
expect_sas '.sas[0].identity == "CN=alice,O=Example,C=DE"' 'alice by her name'
