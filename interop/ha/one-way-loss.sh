#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The sync link, then the service network lets packets through in one direction only: there is one owner at the end, and no number twice.'

pair_begin
for link in sync out; do
	for way in in out; do
		link_loss "$link" a "$way" 100
		sleep 1
		link_loss "$link" a "$way" 0
		expect_synced
	done
done
pair_went_on 4000
