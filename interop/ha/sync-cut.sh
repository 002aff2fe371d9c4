#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The sync link is cut: heartbeats still come by the service network, so nobody takes over; the active says that it is unprotected, serves on, and both are in sync again afterwards.'

pair_begin
active=$(active)
link_loss sync a both 100
expect_eventually 10 'the active to say that it is unprotected' node_says "$active" '.synced | not'
client_rekey child
expect_client child 1
expect_role "$active" active
expect_role "$(other "$active")" standby
link_loss sync a both 0
expect_synced
node_kill "$active"
expect_takeover "$active"
expect_synced
pair_went_on
