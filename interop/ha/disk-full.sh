#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The disks of both nodes are full: what has to be durable was preallocated, so a takeover succeeds; then the next one, too.'

for n in a b; do
	mkdir -p "$RIG/$n/state"
	mount -t tmpfs -o size=256k tmpfs "$RIG/$n/state"
done
pair_begin
for n in a b; do
	head -c 1M /dev/zero >"$RIG/$n/state/filler" 2>/dev/null || true
	[[ $(df --output=avail "$RIG/$n/state" | tail -n 1) -eq 0 ]] || fail 'the disk is not full'
done
for _ in 1 2; do
	was=$(active)
	node_kill "$was"
	expect_takeover "$was"
	expect_synced
done
pair_unnoticed
