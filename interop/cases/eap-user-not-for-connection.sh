#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'A user who has the password, but whom no connection is for: refused after EAP has proved her.'

eap_gateway more='eap_ids: ["*@example.org"]'
client_start
eap_client alice wonderland
expect_refused
expect_one_log gateway 'refused alice .*no connection is for this user'
eap_client bob@example.org builder vips=0.0.0.0
expect_up
expect_flow v4
