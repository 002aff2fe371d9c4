#!/usr/bin/env bash
. "$(dirname "$0")/../pair.sh"
story 'strongSwan ha/both-active, retold for a pair in which one owns all: carol comes to one node, dave to the other after a switchover; each node knows both, and both reach the host.'

pair_second_client
pair_start
first=$(active)
client_start
client_configure id=carol@strongswan.org
expect_up
expect_synced
pair_watch
node_ctl "$first" ha switchover || fail 'the switchover was refused'
expect_takeover "$first"
CLIENT_AT=client2 client_start
CLIENT_AT=client2 client_configure id=dave@strongswan.org
CLIENT_AT=client2 expect_up
CLIENT_AT=client2 expect_flow v4 v6
expect_synced
for n in a b; do
	[[ $(node_ctl "$n" list-sas --json | jq -c '[.sas[].identity] | sort') == '["carol@strongswan.org","dave@strongswan.org"]' ]] ||
		fail "$n does not know both: $(node_ctl "$n" list-sas)"
done
pair_unnoticed 500
