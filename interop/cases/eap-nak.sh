#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'A client that wants EAP-GTC, which the gateway has not: refused, with both sides of it in one line.'

eap_gateway
client_start
eap_client alice wonderland auth=eap-gtc
expect_refused
expect_log client 'sending EAP_NAK|requesting EAP_GTC|EAP/RES/NAK'
expect_one_log gateway 'it refuses eap-mschapv2 and would take eap-gtc; configured: eap-mschapv2'
expect_sas '.sas | length == 0' 'no SA'
