#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'Neither node hears the other: both are active. When they hear each other again one steps down within a second, the client keeps its tunnel, and no number was used twice.'

pair_begin
was=$(active)
pair_split
expect_role "$(other "$was")" active
node_is "$was" active || fail "$was gave up although it cannot know"
sleep 1
pair_heal
one() { [[ $(node_role a)-$(node_role b) =~ ^(active-standby|standby-active)$ ]]; }
expect_eventually 5 'one active node' one
expect_synced
pair_went_on 5000
