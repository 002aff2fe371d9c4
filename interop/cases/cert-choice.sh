#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Two certificates of ours from two authorities: each client gets the one that it can check.'

pki_ca old key=rsa2048
pki_ca new
pki_cert gw-new new san=DNS:gw.example.org eku=serverAuth
pki_cert gw-old old key=rsa2048 san=DNS:gw.example.org eku=serverAuth
pki_cert alice new san=email:alice@example.org
cat "$PKI/old.pem" "$PKI/new.pem" >"$PKI/both.pem"
pki_gateway 'gw-new gw-old' both
client_start
pki_client alice old
cp "$PKI/alice.pem" "$RIG/client/swanctl/x509/"
expect_up
expect_log client 'received end entity cert .*CN=gw-old'
client_down
pki_client alice new
expect_up
expect_flow v4
expect_log client 'received end entity cert .*CN=gw-new'
