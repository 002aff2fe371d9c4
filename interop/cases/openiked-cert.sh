#!/usr/bin/env bash
# needs esp
CLIENT=openiked
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'OpenIKED with certificates on both sides: RSA, then ECDSA, each by RFC 7427; it is rekeyed by us.'

pki_ca ca
for key in rsa2048 p256; do
	pki_cert gw ca key="$key" san=DNS:gw.example.org eku=serverAuth
	pki_cert "client-$key" ca key="$key" san=email:client@example.org eku=clientAuth
	pki_gateway gw ca
	client_start
	client_import "client-$key" ca
	client_configure certs="client-$key"
	expect_up
	expect_flow v4
	expect_sas '.sas | length == 1 and (.[0] | .auth == "cert" and .identity == "client@example.org" and (.inner | index("10.10.0.1")))' 'one client'
	gateway_rekey child
	expect_client child 1
	gateway_rekey ike
	expect_client ike 1
	expect_flow v4
	client_down
	expect_sas '.sas | length == 0' 'nobody is left'
	gateway_stop || fail 'the gateway did not end in order'
done
