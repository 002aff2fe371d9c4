#!/usr/bin/env bash
# needs esp
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'DSCP and ECN (RFC 4301 5.1.2.1): the outer header has the DSCP of the inner one unless configured otherwise, ECN always; congestion on the road is told to the receiver.'

# How many packets of ESP have left the gateway with what iptables is asked for.
count() { on gateway iptables-legacy -t mangle -A POSTROUTING -o out -p esp "$@"; }
counted() { on gateway iptables-legacy -t mangle -L POSTROUTING -v -n -x | awk -v row="$1" 'NR == row + 2 { print $1 }'; }
expect_counted() { (($(counted "$1") >= 3)) || fail "ESP with $2: $(counted "$1") packets, not 3"; }
marked() { on lan ping -q -n -c 3 -i 0.02 -W 2 -Q "$1" "$(client_inner v4)" >/dev/null || fail "no answer from the client to tos $1"; }
# Of what comes out of the tunnel at the client.
arrived() { on client iptables-legacy -t mangle -L INPUT -v -n -x | awk 'NR == 3 { print $1 }'; }

client_start
for copy in true false; do
	gateway_start child_more="copy_dscp: $copy"
	client_configure
	expect_up
	on gateway iptables-legacy -t mangle -F
	count -m dscp --dscp 46
	count -m dscp --dscp 0
	count -m ecn --ecn-ip-ect 2
	marked 0xb8
	if [[ $copy == true ]]; then expect_counted 1 'DSCP 46'; else expect_counted 2 'DSCP 0'; fi
	marked 0x02
	expect_counted 3 'ECT(0)'
	client_down
	[[ $copy == false ]] || gateway_stop || fail 'the gateway did not end well'
done

# A router on the road has congestion: CE in the outer header, and so in the inner one at the client.
client_configure
expect_up
on client iptables-legacy -t mangle -A INPUT -p icmp -m ecn --ecn-ip-ect 3
on router iptables-legacy -t mangle -A FORWARD -p esp -d 192.0.2.10 -j TOS --set-tos 0x03/0x03
marked 0x02
(($(arrived) >= 3)) || fail "the client has seen $(arrived) packets with CE, not 3"
