#!/usr/bin/env bash
. "$(dirname "$0")/../pair.sh"
story 'Only the daemon of the active node hangs, its parent lives: the other takes over, the parent ends what hangs and starts it again.'

pair_begin
was=$(active)
pid=$(node_daemon "$was")
node_hang "$was" daemon
expect_takeover "$was"
ended() { [[ $(node_daemon "$was") != "$pid" ]]; }
expect_eventually 10 'a new daemon in place of the one that hangs' ended
expect_synced
pair_unnoticed
