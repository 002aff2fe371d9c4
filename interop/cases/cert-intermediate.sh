#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Both sides have their certificates from intermediate authorities, and send those along.'

pki_ca root
pki_ca servers root
pki_ca people root key=rsa2048
pki_cert gw servers san=DNS:gw.example.org eku=serverAuth
pki_cert alice people san=email:alice@example.org
pki_gateway gw root chain=servers
client_start
pki_client alice root chain=people
expect_up
expect_flow v4
expect_log client 'received issuer cert .*CN=servers'
