#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'A certificate of an authority that we do not know: AUTHENTICATION_FAILED; our log names its issuer.'

pki_ca ca
pki_ca other
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert eve other san=email:alice@example.org
pki_gateway gw ca
client_start
pki_client eve ca id=alice@example.org more='send_cert = always'
expect_refused
expect_log client 'AUTHENTICATION_FAILED'
expect_one_log gateway 'refused alice@example\.org .*unknown authority: its certificate is issued by .CN=other'
expect_no_flow
