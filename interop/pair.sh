# shellcheck shell=bash
# What the stories of failover in interop/ha/ are written in: interop/lib.sh with two gateways (tests/rig/pair.sh) in
# place of one. Each begins with:
#
#   . "$(dirname "$0")/../pair.sh"
#   story 'what it tells'
#   pair_begin                both nodes, one client, a flow each way through its tunnel, a capture of its road
#
# does something terrible, and ends with one of:
#
#   pair_unnoticed [MS]       the client has seen no IKE message, its SAs are the same, its packets flow, no gap was longer
#   pair_went_on [MS]         the same but for rekeys: there has been no second IKE_SA_INIT
#
# and with no number and no nonce used twice on the road.
#
# `# quick`: part of `make test`. `# needs esp`: only in User Mode Linux. `# seconds N`: may take longer than others.

GATEWAY=pair
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/lib.sh"

# A machine that is busy with other things is not what is tested.
RIG_NICE=${RIG_NICE--20}
PAIR_RATE=${PAIR_RATE:-500}
# Nor is the patience with a standby, where clocks tick each 10 ms and everybody shares a processor, that a packet of the
# flow costs 2 ms.
if [[ ${RIG_UML:-} == yes ]]; then
	PAIR_ACK_TIMEOUT=${PAIR_ACK_TIMEOUT:-300ms} PAIR_RATE=100
fi
story_topology() { pair_topology; }
STORY_NEEDS='jq pgrep tcpdump'

gateway_process() {
	local n
	for n in a b; do
		[[ ! -e $RIG/pid/gatewayd-$n ]] || printf 'gatewayd-%s' "$n"
	done | head -c 10
}
# All that still run, the standby first, so that nobody takes over for nothing.
gateway_stop() {
	local n status=0
	n=$(standby 2>/dev/null) || n=a
	for n in "$n" "$(other "$n")"; do
		[[ -e $RIG/pid/gatewayd-$n ]] || continue
		node_wake "$n"
		node_stop "$n" || status=1
		node_left_nothing "$n" || status=1
	done
	return "$status"
}
node_left_nothing() {
	local left
	left=$(on "$1" ip xfrm state && on "$1" ip xfrm policy && on "$1" ip -o address show | grep -E " (${GATEWAY_V4//./\\.}|10\.1\.0\.1)/" || true)
	[[ -z $left ]] || warn "$1 left behind: $left"
	[[ -z $left ]]
}
gateway_ctl() { node_ctl "$(active)" "$@"; }
gateway_log() { cat "$RIG/log/gatewayd-a" "$RIG/log/gatewayd-b"; }
gateway_sa_id() { gateway_ctl list-sas --json | jq -e '.sas[0].id'; }
gateway_rekey() {
	case $1 in
	ike) gateway_ctl rekey --id "$(gateway_sa_id)" >/dev/null ;;
	child) gateway_ctl rekey --id "$(gateway_sa_id)" --child >/dev/null ;;
	esac
}
gateway_terminate() { gateway_ctl terminate --id "$(gateway_sa_id)" >/dev/null; }

# pair_begin [KEY=VALUE...]: of client_configure. PAIR_RATE: packets a second of the flow, each way.
pair_begin() {
	pair_start
	pair_connect "$@"
	pair_watch
}
pair_start() {
	node_start a || fail 'node a did not start'
	node_start b || fail 'node b did not start'
	expect_synced
}
pair_connect() {
	client_start
	client_configure "$@"
	expect_up
	expect_flow v4
	expect_synced
}
pair_watch() {
	pair_capture
	flow_start "$PAIR_RATE"
	CLIENT_SEEN=$(client_log | wc -l) CLIENT_IKE=$(client_spi ike) CLIENT_CHILD=$(client_spi in)
	[[ -n $CLIENT_IKE && -n $CLIENT_CHILD ]] || fail 'the client has no tunnel'
}

expect_role() { wait_role "$1" "$2" "${3:-10}" || fail "$1 is $(node_role "$1"), not $2"; }
expect_synced() { wait_synced "${1:-20}" || fail "the pair is not in sync: $(pair_roles)"; }
pair_roles() {
	local n
	for n in a b; do printf '%s: %s; ' "$n" "$(node_ctl "$n" ha status --json 2>&1 | head -c 600 | tr '\n' ' ')"; done
}
# expect_takeover WAS: the other one is active now.
expect_takeover() { expect_role "$(other "$1")" active "${2:-10}"; }

# Messages of IKE in the client's log since pair_watch, and how many of a kind.
client_since() { client_log | tail -n +$((CLIENT_SEEN + 1)); }
client_messages() { client_since | grep -E -c "(generating|parsed) ${1:-[A-Z_]+} (request|response)" || true; }

# The end of the measured time: a last part in which all has to be well again.
pair_flow_ends() {
	local way sent arrived
	flow_mark after
	sleep 1
	flow_end
	for way in up down; do
		read -r sent arrived < <(flow_says ".marks[-1].$way | \"\(.sent) \(.arrived)\"")
		((sent >= PAIR_RATE / 5 && arrived * 100 >= sent * 95)) || fail "at the end of $sent packets $way only $arrived arrived"
	done
	expect_flow v4 v6
}
pair_gap() { flow_says '[.up.gap_ms, .down.gap_ms] | max | round'; }
expect_gap() { (($(pair_gap) <= $1)) || fail "the longest gap was $(pair_gap) ms, not at most $1"; }
expect_wire_clean() {
	pair_wire_clean "${1:-200}" 2>"$RIG/log/wire" || fail "on the road: $(head -n 3 "$RIG/log/wire" | tr '\n' ' ')"
}

pair_unnoticed() {
	pair_flow_ends
	(($(client_messages) == 0)) || fail "the client saw $(client_messages) IKE messages: $(client_since | grep -E -m 3 'generating|parsed' | tr '\n' ' ')"
	[[ $(client_spi ike) == "$CLIENT_IKE" && $(client_spi in) == "$CLIENT_CHILD" ]] || fail 'the client has other SAs than before'
	expect_gap "${1:-2000}"
	expect_wire_clean
}

pair_went_on() {
	pair_flow_ends
	(($(client_messages IKE_SA_INIT) == 0 && $(client_messages IKE_AUTH) == 0)) || fail 'the client had to connect again'
	(($(client_count ike) == 1 && $(client_count child) == 1)) || fail "the client has $(client_count ike) IKE SAs and $(client_count child) CHILD SAs"
	expect_gap "${1:-2000}"
	expect_wire_clean
}

# Neither node hears the other any more, on any path; both hear clients. And again.
pair_split() {
	link_loss sync a both 100
	pair_deaf add
}
pair_heal() {
	pair_deaf del
	link_loss sync a both 0
}
# On the service network only what they say to each other is lost.
pair_deaf() {
	ip -n "$RIG_ID-a" route "$1" blackhole "$NODE_OUT_B/32"
	ip -n "$RIG_ID-b" route "$1" blackhole "$NODE_OUT_A/32"
}

# crowd N: so many tunnels more, of clients that only speak IKE, from the router's addresses.
crowd() {
	ip -n "$RIG_ID-router" route replace local 198.51.100.128/25 dev lo
	on router "$GATEWAY_BUILD/tests/load/gw-load" --to "$GATEWAY_V4" --from 198.51.100.129 --sources 16 --clients "$1" \
		--plan "up:$1" --psk "$STORY_PSK" --id @load.example.org --nat >"$RIG/log/crowd" 2>&1 || fail "the crowd did not get in: $(tail -n 3 "$RIG/log/crowd")"
	expect_synced 30
}
