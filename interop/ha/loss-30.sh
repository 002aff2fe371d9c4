#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'A third of all frames between the nodes is lost, on both paths, while the client replaces its keys: the standby still gets all of it.'

pair_begin
link_loss sync a both 30
for _ in 1 2 3; do
	client_rekey child || fail 'the client could not rekey'
	sleep 0.5
done
link_loss sync a both 0
expect_synced
expect_client child 1
was=$(active)
node_kill "$was"
expect_takeover "$was"
expect_synced
pair_went_on
