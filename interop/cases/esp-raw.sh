#!/usr/bin/env bash
# quick
# needs esp
. "$(dirname "$0")/../lib.sh"
story 'No NAT on the road, so ESP goes without UDP: by IPv4 and by IPv6, each with both families inside.'

gateway_start
client_start
for gateway in "$GATEWAY_V4" "$GATEWAY_V6"; do
	client_configure gateway="$gateway"
	expect_up
	expect_sas '.sas | length == 1 and (.[0].children | length == 1 and all(.udp_encap == false))' 'one CHILD SA without UDP'
	expect_flow v4 v6
	client_down
done
