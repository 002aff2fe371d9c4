#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A gateway of a branch that makes one CHILD SA for each pair of networks, as an ASA does; PFS in all of them.'

gateway_start remote=branch@example.org networks='10.1.0.0/25, 10.1.0.128/25' child_more='remote: [10.77.0.0/24, 10.78.0.0/24]
        single_pair: true'
on client ip addr add 10.77.0.1/32 dev lo
on client ip addr add 10.78.0.1/32 dev lo
client_start
client_configure id=branch@example.org vips='' remote_ts=10.1.0.0/25 child_more='local_ts = 10.77.0.0/24' \
	proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256-modp2048 \
	children_more='other { remote_ts = 10.1.0.0/25
	local_ts = 10.78.0.0/24
	esp_proposals = aes256-sha256-modp2048 }'
expect_up
charon_ctl client --initiate --child other --timeout 10 >"$RIG/log/other" 2>&1 || fail 'no CHILD SA for the second pair'
expect_client child 2
expect_sas '.sas[0].children | length == 2 and all(.[]; (.local_ts | length == 1) and (.remote_ts | length == 1))' 'two pairs'
on client ping -c 2 -i 0.2 -W 2 -I 10.77.0.1 "$LAN_V4" >/dev/null || fail 'nothing through the first pair'
on client ping -c 2 -i 0.2 -W 2 -I 10.78.0.1 "$LAN_V4" >/dev/null || fail 'nothing through the second pair'
gateway_rekey child
expect_client child 2
on client ping -c 2 -i 0.2 -W 2 -I 10.78.0.1 "$LAN_V4" >/dev/null || fail 'nothing through the second pair after the rekey'
