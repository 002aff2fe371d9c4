#!/usr/bin/env bash
# quick
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'A NAT forgets its mapping and chooses another port, twice: the gateway follows the client each time.'

client_port() { gateway_ctl list-sas --json | jq '.sas[0].remote.port'; }
rig_masquerade
gateway_start
client_start
client_configure
expect_up
expect_flow v4 v6
for _ in 1 2; do
	before=$(client_port)
	rig_nat_forgets
	expect_flow v4 v6
	moved() { (($(client_port) != before)); }
	[[ $GATEWAY == charon ]] || expect_eventually 5 'the client at another port' moved
done
client_rekey child
expect_client child 1
expect_flow v4 v6
