#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'Priorities, preemption, hooks and the witness are changed in the files and reloaded on both nodes: in force without a restart, and no client notices.'

# A program that notes whom it was run as.
hook() {
	cat >"$RIG/hook-$1" <<-EOT
		#!/bin/sh
		jq -r '"$1 \(.node) \(.previous) \(.role)"' >>$RIG/log/hooks
	EOT
	chmod 755 "$RIG/hook-$1"
}
hooked() { grep -q -x "$1" "$RIG/log/hooks"; }
# reload_with NODE LINE...: of its section ha. In the place of those before.
reload_with() {
	local node=$1 said
	shift
	PAIR_HA=$(printf '%s\n  ' "$@") pair_config "$node" >"$RIG/$node/gateway.yaml"
	said=$(node_ctl "$node" reload --json) || fail "$node: the reload was refused: $said"
	jq -e '.restart == false and ([.changes[].effect] | unique) == ["now"]' <<<"$said" >/dev/null || fail "$node: $said"
}

hook old
hook new
PAIR_HA="hooks: {role: $RIG/hook-old}"
pair_begin
was=$(active) next=$(standby)
processes=$(node_daemon a) processes+=" $(node_daemon b)"
expect_eventually 5 'the first program to have run on both' hooked "old $next none standby"
rm "$RIG/log/hooks"

# Another program, a witness, and no preemption yet: the switchover is the first that tells.
for node in "$next" "$was"; do
	reload_with "$node" "hooks: {role: $RIG/hook-new}" 'flap_hold: 1s' 'replay: strict' "witness: [$ROUTER_V4]" \
		'service_interfaces: [sync]'
	expect_eventually 5 'the witness to answer' node_says "$node" '.witnesses[0].answers'
	node_says "$node" '.replay.mode == "strict"' >/dev/null || fail "replay is not strict at $node"
done
node_ctl "$was" ha switchover || fail 'the switchover was refused'
expect_takeover "$was"
expect_synced
expect_eventually 5 'the new program to run' hooked "new $next standby active"
expect_eventually 5 'the new program to run on the other node' hooked "new $was active standby"

# The one that was active gets the greater priority and takes it back.
reload_with "$next" "hooks: {role: $RIG/hook-new}"
printf -v "PAIR_PRIORITY_${was^}" 300
reload_with "$was" "hooks: {role: $RIG/hook-new}" 'preempt: {delay: 1s}'
expect_role "$was" active
expect_synced
expect_eventually 5 'the program to run once more' hooked "new $was standby active"
! grep -q '^old' "$RIG/log/hooks" || fail 'the first program was run, though it is configured no more'
[[ "$(node_daemon a) $(node_daemon b)" == "$processes" ]] || fail 'a daemon was started again'
pair_unnoticed 500
