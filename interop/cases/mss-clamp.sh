#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'On a narrow road neither ICMP nor fragments come through: with the MSS clamp a download works, without it hangs.'
# needs nft
# qemu

# The path between client and gateway takes 1300 octets. Nobody hears so: the router sends nothing, the gateway's own
# word to the LAN is lost, and so are fragments, as with too many firewalls.
deafen() {
	ip -n "$RIG_ID-router" link set in mtu 1300
	ip -n "$RIG_ID-router" link set out mtu 1300
	on router nft -f - <<-EOT
		table inet deaf {
			chain leave {
				type filter hook output priority 0;
				icmp type destination-unreachable drop
				icmpv6 type packet-too-big drop
			}
		}
	EOT
	on client nft -f - <<-EOT
		table ip deaf {
			chain arrive {
				type filter hook prerouting priority -450;
				ip frag-off & 0x3fff != 0 drop
			}
		}
	EOT
	on lan nft -f - <<-EOT
		table inet deaf {
			chain arrive {
				type filter hook input priority 0;
				icmp type destination-unreachable drop
				icmpv6 type packet-too-big drop
			}
		}
	EOT
}

fetch() { on client curl -sf -m "$1" -o "$RIG/fetched" "http://$LAN_V4/file"; }

# The first two packets of connections, as the host in the LAN sees them.
watch_syns() {
	rig_start "$1" lan tcpdump --immediate-mode -l -n -i eth 'tcp[tcpflags] & (tcp-syn) != 0'
	wait_for 5 'the capture' grep -q 'listening on' "$RIG/log/$1"
}
said() { grep -E -o 'Flags.*mss [0-9]+' "$RIG/log/$1" | tr '\n' ';'; }

head -c 400000 /dev/urandom >"$RIG/file"
rig_start web lan python3 "$RIG_TOP/tests/rig/web.py" "$RIG"
gateway_start mss_clamp=1160
client_start
client_configure
wait_for 10 'the web server' on lan curl -sf -o /dev/null "http://$LAN_V4/file"
deafen
expect_up
on gateway nft list table inet gateway_gw0 >"$RIG/log/table" || fail 'there is no table of nftables'
watch_syns with
fetch 20 || fail 'the file did not come through'
cmp -s "$RIG/file" "$RIG/fetched" || fail 'the file is damaged'
rig_stop with INT || true
grep -E -q 'Flags \[S\],.*mss 1160,' "$RIG/log/with" || fail "the client's SYN came to the LAN with another MSS: $(said with)"

# Switched off by a reload, for the connections that begin now.
sed -i 's/^mss_clamp: .*/mss_clamp: off/' "$RIG/gateway/gateway.yaml"
gateway_ctl reload >"$RIG/log/reload" || fail "the new configuration was refused: $(cat "$RIG/log/reload")"
expect_eventually 5 'the table goes' eval '! on gateway nft list table inet gateway_gw0'
watch_syns without
! fetch 4 || fail 'the file came through without a clamp: the road is not as narrow as it should be'
rig_stop without INT || true
grep -E -q 'Flags \[S\],.*mss 1[34]' "$RIG/log/without" || fail "without a clamp the client's SYN had another MSS: $(said without)"

# On again, then killed: the kernel takes the table away.
sed -i 's/^mss_clamp: .*/mss_clamp: auto/' "$RIG/gateway/gateway.yaml"
gateway_ctl reload >"$RIG/log/reload" || fail 'the third configuration was refused'
expect_eventually 5 'the table comes back' on gateway nft list table inet gateway_gw0
gateway_kill
expect_eventually 5 'the table goes with the process' eval '! on gateway nft list table inet gateway_gw0'
gateway_start mss_clamp=auto
