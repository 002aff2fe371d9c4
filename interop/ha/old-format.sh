#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'A rolling upgrade from another version: it speaks the former format of the sync stream, with fields that are unknown here.'

former() { node_start "$1" GATEWAY_FAULT=former-format; }
expect_format() {
	local n got
	for n in a b; do
		got=$(node_ctl "$n" ha status --json | jq .format)
		[[ $got == "$1" ]] || fail "node $n speaks format $got, not $1"
	done
}
# step NODE WHAT...: starts the standby NODE anew, so, and hands over to it.
step() {
	local node=$1
	shift
	node_stop "$node" || fail "node $node did not stop in order"
	"$@" "$node" || fail "node $node did not start"
	expect_synced
	node_ctl "$node" ha verify --json >"$RIG/verify.json" || fail "the tables differ: $(jq -c . "$RIG/verify.json")"
	flow_mark "to-$node"
	node_ctl "$(other "$node")" ha switchover || fail 'the switchover was refused'
	expect_takeover "$(other "$node")"
	expect_synced
}

former a || fail 'the old node a did not start'
former b || fail 'the old node b did not start'
expect_synced
pair_connect
pair_watch
newest=$(($(node_ctl a ha status --json | jq .format) + 1))
expect_format $((newest - 1))
first=$(active) second=$(other "$(active)")
# The new one joins and takes over; a rekey while the two versions live side by side; the other one follows.
step "$second" node_start
expect_format $((newest - 1))
step "$first" node_start
expect_format "$newest"
# And back again: who finds the new version wanting is not stuck with it.
step "$second" former
expect_format $((newest - 1))
node_kill_all "$(active)"
expect_role "$first" active
pair_unnoticed 1000
