#!/usr/bin/env bash
. "$(dirname "$0")/../pair.sh"
story 'The active node stands still for a moment, too short for a takeover or just about long enough, twenty times: there is always one owner, and no number twice.'

pair_begin
for ms in 0.02 0.05 0.08 0.1 0.12 0.14 0.15 0.16 0.18 0.2 0.05 0.1 0.15 0.16 0.17 0.18 0.14 0.13 0.3 0.15; do
	was=$(active) || { expect_synced; was=$(active); }
	node_hang "$was"
	sleep "$ms"
	node_wake "$was"
	sleep 0.3
done
expect_synced
pair_unnoticed
