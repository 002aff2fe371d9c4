#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The active node hangs (SIGSTOP) and wakes up after the takeover (SIGCONT): it sends nothing any more, and stands by.'

pair_begin
was=$(active)
node_hang "$was"
expect_takeover "$was"
sleep 1
node_wake "$was"
expect_role "$was" standby
expect_role "$(other "$was")" active
expect_synced
pair_unnoticed
