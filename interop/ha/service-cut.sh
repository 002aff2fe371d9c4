#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The active node loses its cable to the clients, then its successor that to the LAN: each hands over to the other, whose cables are in.'

pair_begin
for link in out lan; do
	was=$(active)
	link_cut "$link" "$was"
	expect_takeover "$was"
	link_join "$link" "$was"
	expect_synced
done
pair_unnoticed
