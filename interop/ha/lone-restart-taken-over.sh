#!/usr/bin/env bash
. "$(dirname "$0")/../pair.sh"
story 'The daemon is restarted in order (SIGTERM, start) while a standby is there: it hands over first, nobody gets a DELETE, and it joins again.'

pair_begin
was=$(active)
node_stop "$was" || fail 'it did not stop in order'
expect_takeover "$was"
node_start "$was" || fail 'it did not start again'
expect_synced
pair_unnoticed 500
