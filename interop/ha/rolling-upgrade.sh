#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'A rolling upgrade: the standby is stopped and started anew, a switchover, then the other one: no tunnel is lost.'

pair_begin
first=$(active)
second=$(other "$first")
node_stop "$second" || fail 'the standby did not stop in order'
node_start "$second" || fail 'it did not start'
expect_synced
flow_mark switchover
node_ctl "$first" ha switchover || fail 'the switchover was refused'
expect_takeover "$first"
node_stop "$first" || fail 'the former active did not stop in order'
node_start "$first" || fail 'it did not start'
expect_synced
flow_mark back
node_ctl "$second" ha switchover || fail 'the switchover back was refused'
expect_role "$first" active
expect_synced
pair_unnoticed 500
