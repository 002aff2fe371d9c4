#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'Both daemons have no file descriptor left: the tunnel goes on, the control socket refuses, and when some are free again a failover works.'

pair_begin
starve() { # 0: as many as it has
	local n pid
	for n in a b; do
		pid=$(node_daemon "$n")
		prlimit --pid "$pid" --nofile="$1"
	done
}
active=$(active)
starve 3:1024
sleep 1
expect_flow v4 v6
link_loss sync a both 100
sleep 1
link_loss sync a both 0
sleep 1
expect_flow v4 v6
starve 1024:1024
expect_synced
node_kill "$(active)"
expect_synced
pair_unnoticed
