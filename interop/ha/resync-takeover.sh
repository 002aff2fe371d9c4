#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed while its standby is being filled with three hundred tunnels: what the standby has goes on, nothing is used twice, and whoever was lost gets in again.'

# The crowd has gone when it is up: nobody answers signs of life.
# shellcheck disable=SC2034
PAIR_CONN='dpd: 0'
pair_begin
crowd 300
active=$(active)
standby=$(other "$active")
node_kill_all "$standby"
node_start "$standby" || fail 'the standby did not start'
sleep 0.15
node_kill "$active"
expect_synced 30
# Whether this client was among those who were over there already is a matter of milliseconds; that it can work is not.
if ! on client ping -q -n -c 1 -W 1 "$LAN_V4" >/dev/null; then
	client_crash
	client_start
	client_configure
	expect_up
fi
expect_flow v4 v6
flow_end
expect_wire_clean 50
