#!/usr/bin/env bash
# quick
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'Two clients behind one NAT that chooses their ports: both have their tunnels, also after each has replaced its keys.'

rig_second_client
rig_masquerade
gateway_start
second() { CLIENT_AT=client2 "$@"; }
client_start
second client_start
client_configure
second client_configure id=second@example.org
expect_up
second expect_up
expect_flow v4 v6
second expect_flow v4 v6
expect_sas '.sas | length == 2 and all(.nat.peer and .remote.addr == "198.51.100.1") and .[0].remote.port != .[1].remote.port' \
	'two clients behind 198.51.100.1'
client_rekey child
second client_rekey ike
expect_client child 1
second expect_client child 1
expect_flow v4 v6
second expect_flow v4 v6
