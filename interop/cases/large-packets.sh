#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Packets that do not fit: with DF the sender in the LAN is told the MTU, without they arrive in pieces.'

gateway_start
client_start
client_configure
expect_up
client4=$(client_inner v4) client6=$(client_inner v6)
# told ADDRESS: what a ping of 1460 octets with DF brings.
told() { on lan ping -n -c 2 -i 0.1 -W 1 -M "do" -s 1432 "$1" 2>&1 || true; }
told "$client4" >"$RIG/log/told"
grep -E -q 'Frag needed and DF set \(mtu = 1[0-9]+\)|message too long, mtu=1[0-9]+' "$RIG/log/told" ||
	fail "the LAN was not told: $(tr '\n' ' ' <"$RIG/log/told")"
for ping in "client $LAN_V4" "client $LAN_V6" "lan $client4" "lan $client6"; do
	read -r from to <<<"$ping"
	on "$from" ping -q -n -c 3 -i 0.02 -W 2 -M dont -s 3000 "$to" >/dev/null || fail "3000 octets from $from to $to got lost"
done
