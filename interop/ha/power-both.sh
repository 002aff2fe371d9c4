#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'Both nodes lose their power at once: keys were in memory only, so clients connect again, get the addresses that they had, and the pair is one.'

pair_begin dpd=1s
inner=$(client_inner v4)
node_power_off a
node_power_off b
node_power_on a
node_power_on b
expect_synced
client_crash
client_start
client_configure
expect_up
[[ $(client_inner v4) == "$inner" ]] || fail "the client had $inner, now it has $(client_inner v4)"
expect_flow v4 v6
flow_end
expect_wire_clean 20
