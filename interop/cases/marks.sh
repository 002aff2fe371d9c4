#!/usr/bin/env bash
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'Marks: packets of a connection bear its mark inside and another outside; without the mark nothing goes to the client.'
# needs esp
# needs kernel

gateway_start mark=0x10/0xf0 output_mark=0x7
client_start
client_configure
# Whoever sends to clients has to say so: here the gateway's firewall does.
mark_for_clients() { on gateway iptables-legacy -t mangle "$1" PREROUTING -i lan -d 10.10.0.0/24 -j MARK --set-mark 0x10/0xf0; }
# Seen on the way in (decrypted) and on the way out (encrypted).
on gateway iptables-legacy -t mangle -A FORWARD -s 10.10.0.0/24 -m mark --mark 0x10/0xf0
on gateway iptables-legacy -t mangle -A POSTROUTING -o out -p udp --sport 4500 -m mark --mark 0x7
on gateway iptables-legacy -t mangle -A POSTROUTING -o out -p esp -m mark --mark 0x7
seen() { on gateway iptables-legacy -t mangle -L "$1" -v -n -x | awk 'NR > 2 { n += $1 } END { exit !(n > 0) }'; }

expect_up
expect_no_flow
seen FORWARD || fail 'packets from the client have no mark'
mark_for_clients -A
expect_ping client "$LAN_V4"
expect_ping lan "$(client_inner v4)"
seen POSTROUTING || fail 'encrypted packets have no mark'
gateway_rekey child
expect_ping lan "$(client_inner v4)"
mark_for_clients -D
expect_no_flow
