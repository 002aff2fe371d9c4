#!/usr/bin/env bash
# quick
# needs esp
. "$(dirname "$0")/../pair.sh"
story 'The sync link is 50 ms late, loses 5 % and disorders: the standby does not diverge, by digest, and takes over.'

pair_begin
for n in a b; do link_delay sync "$n" 50ms 20ms loss 5%; done
sleep 2
for _ in 1 2 3; do
	client_rekey child || fail 'the client could not rekey'
	sleep 0.5
done
client_rekey ike || fail 'the client could not rekey its IKE SA'
expect_synced 30
node_ctl "$(active)" ha verify >"$RIG/log/verify" 2>&1 || fail "the tables differ: $(cat "$RIG/log/verify")"
was=$(active)
node_kill "$was"
expect_takeover "$was"
for n in a b; do link_delay sync "$n" ''; done
expect_synced
pair_went_on
