#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The standby loses its power and comes back, without its disk even: clients notice nothing, nothing is rekeyed, and it is in sync again.'

pair_begin
active=$(active)
for disk in kept empty; do
	node_power_off "$(other "$active")"
	expect_eventually 5 'the active to say that it is alone' node_says "$active" '.synced | not'
	node_power_on "$(other "$active")" "$disk" || fail 'the standby did not start again'
	expect_synced
	expect_role "$active" active
done
pair_unnoticed 500
