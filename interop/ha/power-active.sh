#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The active node loses its power: the other takes over, and gives all back to it when it has booted; then the other one loses its.'

pair_begin
for _ in 1 2; do
	was=$(active)
	node_power_off "$was"
	expect_takeover "$was"
	node_power_on "$was" || fail "$was did not start again"
	expect_synced
done
pair_unnoticed
