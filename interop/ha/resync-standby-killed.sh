#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The standby is killed again and again while it is filled with three hundred tunnels: the active serves on, and at last it is in sync.'

# The crowd has gone when it is up: nobody answers signs of life.
# shellcheck disable=SC2034
PAIR_CONN='dpd: 0'
pair_begin
crowd 300
active=$(active)
standby=$(other "$active")
for delay in 0.05 0.1 0.2 0.4 0.8; do
	node_kill_all "$standby"
	node_start "$standby" || fail 'the standby did not start'
	sleep "$delay"
done
expect_synced 30
expect_role "$active" active
[[ $(node_ctl "$standby" list-sas --json | jq '.sas | length') -ge 301 ]] || fail 'the standby does not know all'
node_kill "$active"
expect_takeover "$active"
expect_synced
pair_unnoticed
