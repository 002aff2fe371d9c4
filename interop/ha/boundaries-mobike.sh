#!/usr/bin/env bash
# quick
# needs esp
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its answer to INFORMATIONAL, by which the client says that it has moved (MOBIKE): the tunnel goes along.'

# kernel-libipsec cannot move an SA, so that the client rekeys it instead, and after a second move it may send nothing.
on client sysctl -q -w net.ipv4.conf.out.promote_secondaries=1
# Else it may find that way better, in the moment when nobody answers.
on client ip -6 addr flush dev out
at=192.0.2.10
move() {
	local to=192.0.2.77 ike
	[[ $at != "$to" ]] || to=192.0.2.10
	ike=$(client_spi ike)
	on client ip addr add "$to/24" dev out
	on client ip addr del "$at/24" dev out
	on client ip route replace default via 192.0.2.1
	at=$to
	expect_eventually 15 "the client at $to" sas_are ".sas | length == 1 and .[0].remote.addr == \"$to\""
	[[ $(client_spi ike) == "$ike" ]]
}
boundary_story INFORMATIONAL move
