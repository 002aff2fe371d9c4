#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'EAP-MSCHAPv2: the gateway proves itself by its certificate, the client by a password; the session is the user.'

eap_gateway
client_start
eap_client alice wonderland vips=0.0.0.0
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and .[0].identity == "alice" and .[0].auth == "eap-mschapv2"' 'alice, by her password'
expect_log client "authentication of 'gw.example.org' with ECDSA.* successful"
expect_log client 'EAP method EAP_MSCHAPV2 succeeded, MSK established'
