#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'strongSwan ha/active-passive, retold: carol and dave connect to the virtual gateway, the active node is killed, and both reach the host behind it through the other.'

pair_second_client
pair_start
first=$(active)
client_start
client_configure id=carol@strongswan.org vips=0.0.0.0 remote_ts=10.1.0.0/24
CLIENT_AT=client2 client_start
CLIENT_AT=client2 client_configure id=dave@strongswan.org vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
CLIENT_AT=client2 expect_up
expect_sas '[.sas[].identity] | sort == ["carol@strongswan.org", "dave@strongswan.org"]' 'carol and dave'
expect_flow v4
CLIENT_AT=client2 expect_flow v4
expect_synced
dave=$(CLIENT_AT=client2 client_spi in)
pair_watch
node_kill_all "$first"
expect_takeover "$first"
expect_sas '[.sas[] | select(.state == "ESTABLISHED") | .identity] | sort == ["carol@strongswan.org", "dave@strongswan.org"]' 'carol and dave, at the other node'
CLIENT_AT=client2 expect_flow v4
[[ $(CLIENT_AT=client2 client_spi in) == "$dave" ]] || fail 'dave has other SAs than before'
flow_mark after
sleep 1
flow_end
expect_flow v4
(($(client_messages) == 0)) || fail "carol saw $(client_messages) IKE messages"
expect_wire_clean
