#!/usr/bin/env bash
# quick
# needs esp
# needs kernel
. "$(dirname "$0")/../lib.sh"
story 'Transport mode (RFC 7296 1.3.1), by IPv4 and by IPv6: client and gateway speak ESP with each other without a tunnel, and no packet is lost while both sides replace their keys.'

gateway_start networks="$GATEWAY_V4, '$GATEWAY_V6'" child_more='mode: transport'
client_start
for gateway in "$GATEWAY_V4" "$GATEWAY_V6"; do
	client_configure gateway="$gateway" vips='' remote_ts=dynamic child_more='mode = transport'
	expect_up
	expect_transport
	expect_ping client "$gateway"
	expect_esp
	traffic_start "$gateway"
	client_rekey child
	gateway_rekey child
	client_rekey ike
	gateway_rekey ike
	expect_client child 1
	expect_no_loss
	expect_transport
	client_down
	expect_sas '.sas == []' 'no SA'
done

# Who wants a tunnel does not get one here.
client_configure vips='' remote_ts=dynamic
! client_up || expect_client child 0
expect_log gateway 'it asks for tunnel mode; configured: transport'
