#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'As Windows logs in: no IDr, its address as IDi, the user told by EAP only, with a domain; an NT hash at the gateway.'

eap_gateway
client_start
eap_client 'CORP\bob@example.org' builder vips=0.0.0.0 id=10.0.0.7 gateway_id=%any proposals=aes256-sha256-modp2048
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and .[0].identity == "bob@example.org" and .[0].told_identity == "10.0.0.7"' 'bob, by his name'
