#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'A user that nobody knows: the client cannot tell this from a wrong password, the log of the gateway can.'

eap_gateway
client_start
eap_client mallory wonderland
expect_refused
expect_log client 'EAP-MS-CHAPv2 failed with error ERROR_AUTHENTICATION_FAILURE'
expect_log gateway 'refused mallory .*no user .mallory.'
expect_sas '.sas | length == 0' 'no SA'
