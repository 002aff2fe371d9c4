#!/usr/bin/env bash
# seconds 120
# needs iptables
. "$(dirname "$0")/../pair.sh"
story 'The nodes hide clients behind their virtual address in the LAN: with conntrackd, joined by hooks.role, a TCP connection of a client survives a node without power, its return, and a planned change.'

# conntrackd of a node, as packaging/conntrackd has it.
conntrackd_start() {
	local node=$1 us=NODE_SYNC_${1^^} them dir=$RIG/$1
	them=$(other "$node")
	them=NODE_SYNC_${them^^}
	mkdir -p "$dir"
	sed -e "s/IPv4_address 10.255.0.1 *# us/IPv4_address ${!us}/; s/Destination_Address .*/Destination_Address ${!them}/" \
		-e "s|/var/lock/|$dir/|; s|/var/run/|$dir/|; s|LogFile on|LogFile $RIG/log/conntrackd-$node.log|; s/Systemd on/Systemd off/" \
		"$RIG_TOP/packaging/conntrackd/conntrackd.conf" >"$dir/conntrackd.conf"
	rm -f "$dir/conntrackd.lock" "$dir/conntrackd.ctl"
	rig_start "conntrackd-$node" "$node" conntrackd -C "$dir/conntrackd.conf"
	wait_for 5 "conntrackd of $node" conntrackd -C "$dir/conntrackd.conf" -s ||
		fail "conntrackd of $node did not start: $(tail -n 2 "$RIG/log/conntrackd-$node" "$RIG/log/conntrackd-$node.log" | tr '\n' ' ')"
}

# Only what was seen to begin is let through: the middle of a connection that nobody told of is not.
firewall() {
	local node=$1 chain
	if rig_has_nft; then
		on "$node" nft -f - <<-EOT
			table ip site {
				chain leave {
					type nat hook postrouting priority srcnat;
					oifname "lan" ip saddr 10.10.0.0/16 meta l4proto tcp snat to 10.1.0.1:20000-60000 random
				}
				chain pass {
					type filter hook forward priority 0;
					ct state invalid drop
				}
				chain arrive {
					type filter hook input priority 0;
					ct state invalid drop
				}
			}
		EOT
	else
		on "$node" iptables-legacy -t nat -A POSTROUTING -o lan -s 10.10.0.0/16 -p tcp -j SNAT --to-source 10.1.0.1:20000-60000 --random
		for chain in FORWARD INPUT; do
			on "$node" iptables-legacy -A "$chain" -m conntrack --ctstate INVALID -j DROP
		done
	fi
	on "$node" sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
}

# What goes with a node: its programs, and what its kernel knew.
power_off() {
	node_power_off "$1"
	rig_stop "conntrackd-$1" KILL || true
	on "$1" conntrack -F 2>/dev/null
}

cat >"$RIG/role" <<-EOT
	#!/bin/sh
	text=\$(cat)
	case \$text in *'"node":"a","role"'*) node=a ;; *) node=b ;; esac
	printf '%s' "\$text" | '$RIG_TOP/packaging/conntrackd/role' "$RIG/\$node/conntrackd.conf"
EOT
chmod +x "$RIG/role"
PAIR_HA="hooks: {role: $RIG/role}"
for node in a b; do
	firewall "$node"
	conntrackd_start "$node"
done
pair_start
pair_connect

rig_start echo lan python3 -u -c '
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        print("from", self.client_address[0])
        for line in self.rfile: self.wfile.write(line)
socketserver.ThreadingTCPServer(("", 7777), Echo).serve_forever()'
listens() { [[ -n $(on lan ss -Hltn 'sport = 7777') ]]; }
expect_eventually 10 'the server' listens
# One connection: a line each 20 ms, which has to come back, until the file `enough` is there.
rig_start talk client python3 -u -c '
import os, socket, sys, time
s = socket.create_connection((sys.argv[1], 7777)); s.settimeout(30)
f, n = s.makefile("rw"), 0
while not os.path.exists(sys.argv[2]):
    print(n, file=f, flush=True)
    assert f.readline() == f"{n}\n", "the connection is at its end"
    n += 1
    if n % 10 == 0: print("answered", n)
    time.sleep(0.02)
print("well")' "$LAN_V4" "$RIG/enough"
answered() { awk '/^answered/ { n = $2 } END { print n + 0 }' "$RIG/log/talk"; }
talks() { (($(answered) > $1)); }
expect_talk() {
	local n
	n=$(answered)
	expect_eventually 15 "the connection to go on ($1)" talks $((n + 50))
}
expect_talk 'at first'
[[ $(cat "$RIG/log/echo") == 'from 10.1.0.1' ]] || fail "the server sees the client: $(cat "$RIG/log/echo")"

was=$(active)
power_off "$was"
expect_takeover "$was"
expect_talk "$was without power"
conntrackd_start "$was"
node_power_on "$was" || fail "$was did not start again"
expect_synced
node_ctl "$(active)" ha switchover >/dev/null || fail 'the switchover was refused'
expect_role "$was" active
expect_talk "$was is active again"
expect_synced
power_off "$was"
expect_takeover "$was"
expect_talk 'without power again'
: >"$RIG/enough"
expect_eventually 5 'a good end' grep -qx well "$RIG/log/talk"
(($(grep -c from "$RIG/log/echo") == 1)) || fail 'there was more than one connection'
expect_no_log gateway 'hooks.role.*(exit status|took too long)'
