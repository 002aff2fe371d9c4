#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'A good certificate, but for somebody else: refused; our log says for whom it is.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert mallory ca san=email:mallory@example.org
pki_gateway gw ca
client_start
pki_client mallory ca id=keyid:alice
expect_refused
expect_log client 'AUTHENTICATION_FAILED'
expect_one_log gateway 'refused keyid:alice .*for somebody else: CN=mallory,O=Example,C=DE, mallory@example\.org'
