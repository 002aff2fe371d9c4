#!/usr/bin/env bash
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'The client moves behind a NAT and says so (MOBIKE): both sides find the NAT, and the tunnel goes along.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4
before=$(client_spi ike)
on router iptables-legacy -t nat -A POSTROUTING -o out -s 192.0.2.77 -p udp -j MASQUERADE --to-ports 10000-60000
on client sysctl -q -w net.ipv4.conf.out.promote_secondaries=1
on client ip addr add 192.0.2.77/24 dev out
on client ip addr del 192.0.2.10/24 dev out
on client ip route replace default via 192.0.2.1
expect_sas ".sas[0].remote.addr == \"$ROUTER_V4\"" 'the client behind the router'
expect_flow v4 v6
[[ $(client_spi ike) == "$before" ]] || fail 'it connected anew instead of moving'
expect_log gateway 'to 198.51.100.1:[0-9]+ behind NAT'
client_rekey child
expect_flow v4
