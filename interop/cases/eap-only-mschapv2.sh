#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'EAP-only with a password is not taken: a dictionary would find it. The gateway sends its certificate all the same.'

eap_gateway eap='{only: true}'
client_start
eap_client alice wonderland remote_auth=eap-mschapv2
client_up || true
expect_no_log gateway 'EAP, which is to prove us, too'
expect_log gateway 'HALF_OPEN -> EAP'
