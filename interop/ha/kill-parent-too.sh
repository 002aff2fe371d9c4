#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'Daemon and parent of the active node are killed at once: nobody takes its addresses away, the other takes over all the same; and back.'

pair_begin
for _ in 1 2; do
	was=$(active)
	node_kill_all "$was"
	expect_takeover "$was"
	node_start "$was" || fail "$was did not start again"
	expect_synced
done
pair_unnoticed
