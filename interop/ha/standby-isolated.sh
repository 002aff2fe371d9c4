#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'All cables of the standby are out: it does not promote itself, since it is the one that is cut off; the active serves on, and the standby comes back.'

pair_begin
active=$(active)
standby=$(other "$active")
for link in out lan sync; do link_cut "$link" "$standby"; done
sleep 2
expect_role "$active" active
! node_is "$standby" active || fail 'a node without any cable made itself active'
for link in out lan sync; do link_join "$link" "$standby"; done
expect_synced
expect_role "$active" active
pair_unnoticed 500
