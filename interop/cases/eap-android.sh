#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'As the native client of Android connects: a key ID as IDi, the largest group first, no CERTREQ, no INITIAL_CONTACT.'

eap_gateway
client_start
eap_client alice wonderland vips=0.0.0.0 id=keyid:alices-phone \
	proposals=aes256gcm16-aes128gcm16-prfsha512-prfsha256-modp4096-x25519-modp3072-modp2048 more='send_certreq = no
				unique = never'
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and .[0].identity == "alice" and .[0].told_identity == "keyid:alices-phone"' 'alice'
