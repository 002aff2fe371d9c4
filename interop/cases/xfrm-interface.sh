#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A connection with an XFRM interface: clients are behind it and nowhere else, and it goes with the gateway.'
# needs esp
# needs kernel
# needs interfaces
# qemu

rules() {
	on gateway nft -f - <<-EOT
		table inet watch
		delete table inet watch
		table inet watch {
			chain forward {
				type filter hook forward priority 0;
				iifname vpn0 ip saddr 10.10.0.0/24 counter
				oifname vpn0 ip daddr 10.10.0.0/24 counter
			}
		}
	EOT
}
counted() { on gateway nft -j list table inet watch | jq -e '[.nftables[].rule.expr? // empty | .[].counter? // empty | .packets] | length == 2 and all(. > 0)' >/dev/null; }

rules
# Of a run that crashed: replaced. Of somebody else: left alone.
ip -n "$RIG_ID-gateway" link add other0 type xfrm if_id 99
gateway_start interface=vpn0
client_start
client_configure
expect_up
expect_flow v4 v6
counted || fail 'packets did not go through vpn0'
on gateway ip -d link show vpn0 >"$RIG/log/link"
grep -q 'alias gatewayd node' "$RIG/log/link" && grep -q 'mtu 1400' "$RIG/log/link" || fail "vpn0: $(tr '\n' ' ' <"$RIG/log/link")"
[[ $(on gateway ip xfrm state | grep -c 'if_id 0x67') == 2 ]] || fail 'the states have no if_id'
[[ $(on gateway ip route get "$(client_inner v4)") == *' dev vpn0 '* ]] || fail 'the route to the client leads elsewhere'

# New keys: the interface stays, and no packet is lost.
traffic_start
gateway_rekey child
expect_log gateway 'CHILD SA #[0-9]+ .*rekeyed|replaces|up: '
expect_no_loss

# Without the interface nothing goes out in clear, whatever the default route says.
rig_start clear router tcpdump --immediate-mode -l -n -i out 'net 10.10.0.0/24 or net fd10::/64'
wait_for 5 'the capture' grep -q 'listening on' "$RIG/log/clear"
ip -n "$RIG_ID-gateway" link set vpn0 down
! on lan ping -q -n -c 3 -i 0.2 -W 0.5 "$(client_inner v4)" >/dev/null || fail 'the client answers without its interface'
rig_stop clear INT || true
! grep -q 'IP' "$RIG/log/clear" || fail "in clear: $(grep -m 1 IP "$RIG/log/clear")"
ip -n "$RIG_ID-gateway" link set vpn0 up

# Killed: the next one takes the interface over, and at an orderly end it is gone.
gateway_kill
on gateway ip link show vpn0 >/dev/null || fail 'vpn0 went with a process that was killed'
gateway_start interface=vpn0
expect_log gateway 'removed 1 XFRM interfaces that an earlier run left'
gateway_stop || fail 'the gateway did not end well'
! on gateway ip link show vpn0 2>/dev/null || fail 'vpn0 is still there'
on gateway ip link show other0 >/dev/null || fail "somebody else's XFRM interface is gone"
