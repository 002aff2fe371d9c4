#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'The standby has another configuration: both say so by name, and SAs that it can hold are protected all the same.'

node_start a
PAIR_CONN='dpd: 17s'
node_start b
unset PAIR_CONN
expect_synced
pair_connect
pair_watch
differs() { node_ctl "$1" ha status 2>/dev/null | grep -E -i -q 'config.*differ|differ.*config'; }
expect_eventually 10 'a to say that the configurations differ' differs a
expect_eventually 10 'b to say that the configurations differ' differs b
was=$(active)
node_kill "$was"
expect_takeover "$was"
pair_unnoticed
