#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'One user on two devices: the newer takes the place of the older, and its inner address, whatever they call themselves.'

eap_gateway
client_start
eap_client alice wonderland vips=0.0.0.0 id=phone@example.org
expect_up
expect_flow v4
client_crash
client_start
eap_client alice wonderland vips=0.0.0.0 id=laptop@example.org
expect_up
expect_flow v4
expect_sas '.sas | map(select(.state == "ESTABLISHED")) | length == 1' 'one SA'
expect_sas '.sas | map(select(.state == "ESTABLISHED"))[0].inner == ["10.10.0.1"]' 'the same address'
