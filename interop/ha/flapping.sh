#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The cable of the sync link is pulled and put in again, ten times in a few seconds; then that of the active to its clients.'

pair_begin
for _ in {1..10}; do
	link_cut sync a
	sleep 0.2
	link_join sync a
	sleep 0.2
done
expect_synced
pair_flap=$(active)
for _ in {1..5}; do
	link_cut out "$pair_flap"
	sleep 0.1
	link_join out "$pair_flap"
	sleep 0.2
done
expect_synced
pair_unnoticed 5000
