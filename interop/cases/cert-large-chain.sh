#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Chains of RSA with long keys, in many fragments (RFC 7383).'

pki_ca root key=rsa3072
pki_ca mid root key=rsa3072
pki_ca low mid key=rsa3072
pki_cert gw low key=rsa3072 san=DNS:gw.example.org eku=serverAuth
pki_cert alice low key=rsa3072 san=email:alice@example.org
pki_gateway gw root chain='low mid' fragment_size=576
client_start 'fragment_size = 500'
pki_client alice root chain='low mid'
expect_up
expect_flow v4
expect_log client 'splitting IKE message \([0-9]+ bytes\) into ([6-9]|1[0-9]) fragments'
expect_log client 'received fragment #[5-9] of'
