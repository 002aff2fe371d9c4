#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'A standby with another secret is refused by name and disturbs nothing; with the right one it joins.'

pair_begin
active=$(active)
standby=$(other "$active")
node_stop "$standby" || fail 'the standby did not stop in order'
PAIR_SECRET_OF[$standby]=ffffffffffffffffffffffffffffffff
# It hears nobody, so it may well make itself active: its road to clients is cut meanwhile.
link_cut out "$standby"
link_cut lan "$standby"
node_start "$standby" || fail 'it did not start'
refusal_is_said() { node_log "$active" | grep 'refused: another secret' >/dev/null; }
expect_eventually 10 'a refusal in the log of the active' refusal_is_said
expect_role "$active" active
sleep 1
! node_synced "$active" || fail 'in sync with a node that has another secret'
node_kill_all "$standby"
unset "PAIR_SECRET_OF[$standby]"
link_join out "$standby"
link_join lan "$standby"
node_start "$standby" || fail 'it did not start'
expect_synced
node_kill "$active"
expect_takeover "$active"
expect_synced
pair_unnoticed
