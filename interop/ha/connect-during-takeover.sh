#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'Five times the active node is killed while a client connects, each time a little later: it gets its tunnel at the first try, and only one.'

pair_start
client_start
for delay in 0 0.01 0.02 0.04 0.08; do
	client_configure
	client_up &
	up=$!
	was=$(active)
	sleep "$delay"
	node_kill "$was"
	wait "$up" || fail "the client could not connect when the active node was killed after $delay s"
	expect_synced
	expect_client ike 1
	expect_client child 1
	expect_flow v4 v6
	client_down
	expect_sas '.sas == []' 'no SA is left'
done
