#!/usr/bin/env bash
# quick
# needs esp
. "$(dirname "$0")/../pair.sh"
story 'The clock of the wall jumps a day ahead, and two back: nothing here lives by it.'

[[ ${RIG_UML:-} == yes ]] || { say 'only in User Mode Linux, whose clock is its own'; exit 0; }
pair_begin
for step in '+1 day' '-2 days'; do
	date -s "$(date -d "$step" '+%F %T')" >/dev/null
	sleep 1
	was=$(active)
	node_kill "$was"
	expect_takeover "$was"
	expect_synced
done
pair_unnoticed
