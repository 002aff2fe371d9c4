# shellcheck shell=bash
# Failovers one after the other, for tests/load/bench_ha.sh: a pair, a client with a constant flow, and what became of it.
# Each section leaves samples, a JSON line a failover, in $SAMPLES/SECTION.KIND, and one a run in SECTION.runs; results are
# made of all there are. So a hundred failovers may be run in pieces (MORE=yes adds to what is there).

# cut_off NODE: from everything, without its noticing, in one step: its ports of the bridges are disabled (0), then they forward (3); join_again NODE.
cut_off() { ports_of "$1" 0; }
join_again() { ports_of "$1" 3; }
ports_of() {
	local link
	for link in out lan sync; do printf 'link set dev %s state %s\n' "$1-$link" "$2"; done | bridge -n "$RIG_ID-switch" -batch -
}

# What befalls the active node, and what is made good again when the other one has taken over.
befall() {
	case $1 in
	cut) cut_off "$2" ;;
	kill) kill -KILL "$victim" ;;
	hang) kill -STOP "$parent" "$victim" ;;
	switchover) node_ctl "$2" ha switchover >/dev/null || die 'the switchover was refused' ;;
	esac
}
make_good() {
	case $1 in
	cut) join_again "$2" ;;
	hang) node_wake "$2" ;;
	esac
}

# failovers N KIND...: N times each, by turns, so that a daemon that is killed has lived for some seconds, and its parent starts
# it again at once. Each is a part of the flow, KIND, until the other node has taken over, and another, KIND-return, until the
# first one is back and the pair in sync. Commands cost time of the two processors that all of it shares, so there are few.
# $RIG/times-KIND: when it befell, and when the other one had taken over, by the wall clock that logs are written with.
failovers() {
	local n=$1 i kind
	shift
	for kind in "$@"; do : >"$RIG/times-$kind"; done
	for ((i = 0; i < n; i++)); do
		for kind in "$@"; do failover "$kind" || die "$kind $i: the pair is not as it should be"; done
	done
}
failover() {
	local kind=$1 was victim parent begin soon=0.15
	[[ $kind != cut && $kind != hang || -n ${PAIR_HEARTBEAT:-} ]] || soon=0.35
	synced_again || return 1
	was=$(active)
	victim=$(node_daemon "$was") parent=$(node_parent "$was")
	sleep 0.3
	flow_mark "$kind"
	begin=$EPOCHREALTIME
	befall "$kind" "$was"
	sleep "$soon"
	wait_role "$(other "$was")" active 10 || return 1
	flow_mark "$kind-return"
	make_good "$kind" "$was"
	sleep 0.5
	printf '[%s, %s]\n' "$begin" "$(taken_over "$(other "$was")")" >>"$RIG/times-$kind"
	synced_again || return 1
	flow_mark quiet
	sleep 0.5
}
synced_again() {
	local i
	for ((i = 0; i < 240; i++)); do
		pair_synced >/dev/null 2>&1 && return
		sleep 0.25
	done
	return 1
}
# When the node said last that it has taken over and has the addresses, in seconds of the wall clock.
taken_over() {
	local at
	at=$(grep -F 'taken over: ' "$RIG/log/gatewayd-$1" | tail -n 1 | cut -d ' ' -f 1)
	date -d "$at" +%s.%3N
}

# ---- samples ----

samples_begin() {
	local kind
	[[ ${MORE:-} != yes ]] || return 0
	[[ -n ${KINDS:-} ]] || rm -f "$SAMPLES/$SECTION".*
	for kind in ${KINDS:-}; do rm -f "$SAMPLES/$SECTION.$kind"; done
}
# samples_take KIND: of the flow that has ended. Commands that cut off or hang take their time: there the last packet before
# the gap says when it was (but where the kernel of a node that hangs goes on).
samples_take() {
	jq -c --arg kind "$1" --arg plane "$GATEWAY_PLANE" --slurpfile times "$RIG/times-$1" '
		.begin as $begin
		| [.marks[] | select(.name == $kind + "-return") | [.up.gap_ms, .down.gap_ms] | max] as $return
		| [.marks[] | select(.name == $kind)] | to_entries[]
		| {gap_ms: ([.value.up.gap_ms, .value.down.gap_ms] | max), lost: (.value.up.lost + .value.down.lost),
			late: (.value.up.late + .value.down.late),
			detected_ms: (($times[.key][1] - if $kind == "cut" or ($kind == "hang" and $plane == "userspace") then $begin + .value.down.gap_at_s else $times[.key][0] end) * 1000),
			return_ms: $return[.key],
			pause_ms: ([.value.up.pause_ms, .value.down.pause_ms] | max), stood_still_ms: .value.stood_still_ms}' "$RIG/flow.json" >>"$SAMPLES/$SECTION.$1"
}
# What one client, its log and the road say at the end of a run, and how busy the machine was.
samples_run() {
	local messages
	messages=$(charon_log client | tail -n +$((log_before + 1)) | grep -E -c '(generating|parsed) [A-Z_]+ (request|response)' || true)
	pair_wire_clean 100 2>"$RIG/log/wire" || true
	jq -c --argjson lost "$([[ $(client_spi ike)-$(client_spi in) == "$sas" ]] && echo 0 || echo 1)" --argjson messages "$messages" \
		--argjson load "[$load_before, $(load_now)]" --slurpfile wire "$RIG/wire.json" \
		'{tunnels_lost: $lost, messages: $messages, repeated: ($wire[0] | .repeated_sequence + .repeated_iv), load: $load,
		quiet_ms: [.marks[] | select(.name == "quiet") | [.up.gap_ms, .down.gap_ms] | max],
		stood_still_ms: [.marks[] | select(.name == "quiet") | .stood_still_ms | numbers]}' "$RIG/flow.json" >>"$SAMPLES/$SECTION.runs"
}
load_now() { cut -d ' ' -f 1 /proc/loadavg; }
# of KIND KEY PERCENT [FILTER]: nearest rank of a figure of all samples, or of those that FILTER lets pass.
of() {
	[[ -s $SAMPLES/$SECTION.$1 ]] || { echo null && return; }
	jq -s --arg key "$2" --argjson p "$3" "map(select(${4:-true}))"' | map(.[$key] | select(. != null)) | sort | if . == [] then null else
		.[([(length * $p / 100 | ceil), 1] | max) - 1] end' "$SAMPLES/$SECTION.$1"
}
# Those during which no processor stood still, for whatever the machine had to do or its host, for longer than this
# (tests/rig/stall.h): what a failover costs where the machine allows to measure it.
CALM='.stood_still_ms != null and .stood_still_ms <= 3'
run_says() { jq -s "$1" "$SAMPLES/$SECTION.runs"; }

# tell KIND TEXT DETECTION-GOAL GAP-GOAL LOST-GOAL
tell() {
	result "$2: failovers" "$(wc -l <"$SAMPLES/$SECTION.$1")" failovers
	[[ -z $3 ]] || result "$2: detected and address claimed, p99" "$(of "$1" detected_ms 99)" ms "$3" 'ASA tuned; strongSwan' '800; 2100'
	result "$2: longest gap, median" "$(of "$1" gap_ms 50)" ms
	result "$2: longest gap, p99" "$(of "$1" gap_ms 99)" ms "$4" 'stated, not measured' '1000 to 3000'
	result "$2: longest gap until the other node is back and in sync, p99" "$(of "$1" return_ms 99)" ms
	result "$2: packets lost of both ways, median" "$(of "$1" lost 50)" packets
	result "$2: packets lost of both ways, p99" "$(of "$1" lost 99)" packets "$5"
	[[ -z $5 ]] || result "$2: time without packets, by those lost, p99" "$(jq -n "$(of "$1" lost 99) * 1000 / $RATE")" ms "$4"
	result "$2: a processor stood still meanwhile, p99" "$(of "$1" stood_still_ms 99)" ms
	result "$2: failovers with none still for 3 ms" "$(jq -s "map(select($CALM)) | length" "$SAMPLES/$SECTION.$1")" failovers
	result "$2: longest gap in those, p99" "$(of "$1" gap_ms 99 "$CALM")" ms "$4"
	result "$2: packets lost in those, p99" "$(of "$1" lost 99 "$CALM")" packets "$5"
}
# tell_run TEXT: what holds for all of it.
tell_run() {
	result "$1: tunnels lost" "$(run_says 'map(.tunnels_lost) | add')" tunnels '<= 0'
	result "$1: IKE messages that the client saw" "$(run_says 'map(.messages) | add')" messages '<= 0' 'strongSwan ha' 'all CHILD SAs rekeyed at return'
	result "$1: numbers or nonces used twice, by capture" "$(run_says 'map(.repeated) | add')" times '<= 0' 'strongSwan ha' 'numbers reused'
	# What of a gap is the machine's: with it, a switchover that loses nothing has gaps as well.
	result "$1: longest gap of half a second without any event, median" "$(run_says 'map(.quiet_ms[]) | sort | .[length / 2 | floor]')" ms
	result "$1: longest gap of half a second without any event, p99" "$(run_says 'map(.quiet_ms[]) | sort | .[(length * 0.99 | ceil) - 1]')" ms
	result "$1: load of the machine ($(nproc) cores), most" "$(run_says 'map(.load[]) | max')" load
}

# rounds KIND...: a section's run.
rounds() {
	local kind
	# shellcheck disable=SC2086
	[[ -z ${KINDS:-} ]] || set -- $KINDS
	samples_begin
	bench_begin
	flow_start "$RATE"
	flow_mark quiet
	failovers "$ROUNDS" "$@"
	flow_end
	for kind in "$@"; do samples_take "$kind"; done
	samples_run
	bench_end
}
