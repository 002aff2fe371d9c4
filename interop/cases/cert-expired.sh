#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'A certificate that has expired: refused, and our log says when.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org expired=1
pki_gateway gw ca
client_start
pki_client alice ca more='send_cert = always'
expect_refused
expect_log client 'AUTHENTICATION_FAILED'
expect_one_log gateway 'refused alice@example\.org .*expired at 2020-02-01'
