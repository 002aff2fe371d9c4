#!/usr/bin/env bash
# needs esp
CLIENT=libreswan
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Libreswan with certificates: RSA (RFC 7427, PKCS#1 v1.5 or PSS as it likes), then ECDSA; rekeys of both SAs by each side.'

pki_ca ca
for key in rsa2048 p256; do
	pki_cert gw ca key="$key" san=DNS:gw.example.org eku=serverAuth
	pki_cert "client-$key" ca key="$key" san=email:client@example.org eku=clientAuth
	pki_gateway gw ca
	client_start
	client_import "client-$key" ca
	client_configure certs="client-$key" auth="$([[ $key == p256 ]] && printf ecdsa || printf rsa-sha2)"
	expect_up
	expect_flow v4
	expect_sas '.sas | length == 1 and (.[0] | .auth == "cert" and .identity == "client@example.org" and (.inner | index("10.10.0.1")))' 'one client'
	client_rekey child
	expect_log gateway 'rekeyed|REKEYED'
	expect_client child 1
	gateway_rekey child
	expect_client child 1
	client_rekey ike
	expect_log gateway 'IKE SA rekeyed: #'
	gateway_rekey ike
	expect_client ike 1
	expect_flow v4
	client_down
	expect_sas '.sas | length == 0' 'nobody is left'
	client_stop
	gateway_stop || fail 'the gateway did not end in order'
done
