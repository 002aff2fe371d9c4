#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'A list of revoked certificates from a web server: strict refuses everybody without it, waits for it, and ends who comes onto it.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org
mkdir -p "$PKI/www"
pki_gateway gw ca authority="crl: \"http://$LAN_V4/ca.crl\", revocation: strict"
client_start
pki_client alice ca
expect_refused
expect_one_log gateway 'refused alice@example\.org .*authority ca is strict'
pki_crl ca
cp "$PKI/ca.crl" "$PKI/www/"
rig_start www lan python3 "$RIG_TOP/tests/rig/web.py" "$PKI/www"
wait_for 5 'the web server' on gateway curl -s -o /dev/null "http://$LAN_V4/"
gateway_ctl reload >/dev/null
expect_log gateway 'list of revoked certificates http:.*: 0 entries'
expect_up
expect_flow v4
pki_revoke ca alice
sleep 1.1
pki_crl ca
cp "$PKI/ca.crl" "$PKI/www/"
gateway_ctl reload >/dev/null
expect_log gateway 'alice@example\.org.*down: its certificate was revoked'
expect_client ike 0
