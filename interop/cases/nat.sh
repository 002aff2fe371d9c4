#!/usr/bin/env bash
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'A router hides the client behind its own address and other ports: the gateway answers there, packets flow both ways.'

rig_nat 20000
gateway_start
client_start
client_configure
expect_up
expect_flow v4 v6
expect_sas '.sas | length == 1 and (.[0] | .nat.peer and .remote.addr == "198.51.100.1" and .remote.port == 20001)' 'one client behind 198.51.100.1'
