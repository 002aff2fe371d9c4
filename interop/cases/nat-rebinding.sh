#!/usr/bin/env bash
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'The NAT changes its mapping in mid-session: the next packet of the client shows the gateway where to answer.'

rig_nat 20000
gateway_start
client_start
client_configure
expect_up
expect_flow v4
rig_nat 30000
if [[ $GATEWAY == gatewayd ]]; then # kernel-libipsec, in its place, never follows
	expect_flow v4 v6
fi
expect_sas '.sas[0].remote == {addr: "198.51.100.1", port: 30001}' 'the client at its new port'
client_rekey child
expect_client child 1
