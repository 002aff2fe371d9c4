#!/usr/bin/env bash
# quick
# needs esp
. "$(dirname "$0")/../lib.sh"
story 'The client pretends a NAT, so ESP goes in UDP: by IPv4 and by IPv6, each with both families inside.'

gateway_start
client_start
for gateway in "$GATEWAY_V4" "$GATEWAY_V6"; do
	client_configure gateway="$gateway" encap=yes
	expect_up
	expect_sas '.sas | length == 1 and (.[0].children | length == 1 and all(.udp_encap))' 'one CHILD SA in UDP'
	expect_flow v4 v6
	client_down
done
