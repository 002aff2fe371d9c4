#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The daemon of the active node is killed (SIGKILL): the other takes over; its parent starts it again, and it joins as standby.'

pair_begin
was=$(active)
flow_mark kill
node_kill "$was"
expect_takeover "$was"
expect_synced
expect_role "$was" standby
# What it started again has done all that a start does; in effect it has CAP_NET_ADMIN alone.
grep -q '^CapEff:[[:space:]]*0000000000001000$' "/proc/$(node_parent "$was")/status" || fail "the parent process: $(grep CapEff "/proc/$(node_parent "$was")/status")"
pair_unnoticed
