#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The client guesses a DH group that the gateway does not want: INVALID_KE_PAYLOAD names the right one, and it works.'

gateway_start proposals=aes256gcm16-prfsha256-ecp384
client_start
client_configure proposals=aes256gcm16-prfsha256-x25519-ecp384
expect_up
expect_log client "peer didn't accept DH group CURVE_25519, it requested ECP_384"
expect_flow v4
