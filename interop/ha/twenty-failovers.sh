#!/usr/bin/env bash
# needs esp
# seconds 400
. "$(dirname "$0")/../pair.sh"
story 'Twenty failovers in a row, by SIGKILL, SIGSTOP and switchover in turn, under load, with a second tunnel with ESN that is idle and speaks only afterwards.'

pair_second_client
pair_start
client_start
client_configure esp_proposals=aes128gcm16-esn
expect_up
CLIENT_AT=client2 client_start
CLIENT_AT=client2 client_configure id=idle@example.org esp_proposals=aes128gcm16-esn
CLIENT_AT=client2 expect_up
CLIENT_AT=client2 expect_flow v4
idle=$(CLIENT_AT=client2 client_spi in)
pair_watch
for i in {1..20}; do
	expect_synced
	was=$(active)
	flow_mark "failover-$i"
	case $((i % 3)) in
	0) node_ctl "$was" ha switchover || fail 'the switchover was refused' ;;
	1) node_kill "$was" ;;
	2) node_hang "$was" ;;
	esac
	expect_takeover "$was"
	node_wake "$was"
done
expect_synced
CLIENT_AT=client2 expect_flow v4 v6
[[ $(CLIENT_AT=client2 client_spi in) == "$idle" ]] || fail 'the idle tunnel has other keys'
pair_unnoticed
