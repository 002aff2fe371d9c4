#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'RouterOS: CBC with modp2048 and PFS in each rekey, an address of mode-config, one policy of one pair.'

eap_gateway child_more='single_pair: true'
client_start
eap_client alice wonderland vips=0.0.0.0 id=router proposals=aes256-sha256-modp2048,aes128-sha256-modp2048 \
	esp_proposals=aes256-sha256-modp2048 remote_ts=10.1.0.0/24
expect_up
expect_flow v4
inner=$(client_inner v4)
client_rekey child || fail 'no rekey of the CHILD SA with PFS'
expect_client child 1
expect_flow v4
gateway_rekey child
expect_client child 1
client_rekey ike || fail 'no rekey of the IKE SA'
expect_client ike 1
[[ $(client_inner v4) == "$inner" ]] || fail 'another inner address after the rekeys'
expect_flow v4
