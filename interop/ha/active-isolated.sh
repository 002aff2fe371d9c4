#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The active node is cut off from everything, without noticing it: the other takes over; when the network is whole again one owner is left.'

pair_begin
was=$(active)
for link in out lan sync; do link_loss "$link" "$was" both 100; done
expect_takeover "$was"
sleep 1
for link in out lan sync; do link_loss "$link" "$was" both 0; done
expect_role "$was" standby
expect_role "$(other "$was")" active
expect_synced
pair_unnoticed
