#!/usr/bin/env bash
# `make demo`: failover, live, on this machine. A real strongSwan client has one tunnel through a pair of gateways, with a
# constant ping, a flow of packets each way and a download in it. The active gateway is killed, then its
# successor is hung, then a switchover is asked for. The client's own log has to show that it noticed nothing.
#
#                                                   ┌── gateway a ──┐
#   client  ──────  router ("the Internet")  ───────┤    │ sync     ├──────  lan
#   strongSwan      tcpdump on the road             └── gateway b ──┘        a web server
#   192.0.2.10                     virtual address 198.51.100.2             10.1.0.10, fd01::10
#
# KEEP=1 leaves it running and says how to play with it. GATEWAY_BUILD: build/release. DATAPLANE: userspace, or kernel,
# which needs a kernel with ESP (`make demo DATAPLANE=kernel`: in tests/uml). Writes build/demo/: summary.json,
# failover.svg and failover.png (round-trip time over the run, events marked), the figures that they were drawn from.

set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/rig.sh"
. "$TOP/tests/rig/charon.sh"
. "$TOP/tests/rig/gatewayd.sh"
. "$TOP/tests/rig/pair.sh"
. "$TOP/interop/strongswan/client.sh"
GATEWAY_BUILD=${GATEWAY_BUILD:-$TOP/build/release}
OUT=$TOP/build/demo
DATAPLANE=${DATAPLANE:-userspace}
GATEWAY_PLANE=$DATAPLANE
# A machine that is busy with other things is not what is shown.
RIG_NICE=-20
LIMIT=40 ROW_MS=500 FLOW=1000 RATE=3000000 PING=0.02
if [[ $DATAPLANE == kernel ]]; then
	# The guest has one processor, which all of these share, and clocks that tick each 10 ms.
	CHARON_ESP=kernel LIMIT=120 ROW_MS=2000 FLOW=100 RATE=50000 PING=0.1
fi
RESULTS=()
FAILED=0
HUNG=''

if [[ -t 1 ]]; then
	BOLD=$'\033[1m' DIM=$'\033[2m' RED=$'\033[31m' GREEN=$'\033[32m' CYAN=$'\033[36m' PLAIN=$'\033[0m'
else
	BOLD='' DIM='' RED='' GREEN='' CYAN='' PLAIN=''
fi
step() { printf '\n%s==> %s%s\n' "$BOLD" "$*" "$PLAIN"; }

# result MEASURE VALUE UNIT [GOAL MET]: a line of the summary. GOAL as text ("<= 0"), MET true or false.
result() {
	RESULTS+=("$(jq -cn --arg measure "$1" --argjson value "$2" --arg unit "$3" --arg goal "${4:-}" --argjson met "${5:-null}" \
		'{measure: $measure, value: $value, unit: $unit} + if $goal == "" then {} else {goal: $goal, met: $met} end')")
	[[ ${5:-true} == true ]] || FAILED=$((FAILED + 1))
}

# judge MEASURE VALUE UNIT COMPARISON: a result with a goal that jq can read ("<= 200"), without which the demo fails.
judge() { result "$1" "$2" "$3" "$4" "$(jq -n "$2 $4")"; }
# aim: the same, told and kept, but on a machine that does other things, too, no failure.
aim() {
	judge "$@"
	[[ ${RESULTS[-1]} != *'"met":false'* ]] || FAILED=$((FAILED - 1))
}

begin=$(now_ms)
rig_require jq tcpdump curl python3 swanctl unshare gnuplot pgrep
[[ -x /usr/lib/ipsec/charon ]] || die "strongSwan's charon is not installed: run 'make deps'"
mkdir -p "$OUT"
rm -f "$OUT"/*
rig_begin demo

# What a failed demo leaves behind.
rig_at_exit() {
	if (($1 != 0)); then
		cp "$RIG/log/gatewayd-a" "$OUT/gatewayd-a.log" 2>/dev/null
		cp "$RIG/log/gatewayd-b" "$OUT/gatewayd-b.log" 2>/dev/null
		cp "$RIG/client/run/charon.log" "$OUT/client.log" 2>/dev/null
		warn "the demo FAILED; what it left behind: build/demo/"
	fi
}

step 'a client, the Internet, two gateways and a host behind them, as network namespaces'
pair_topology
cat <<-'EOT'
	                                        ┌── gateway a ──┐
	    client 192.0.2.10 ───── router ─────┤     │ sync    ├───── 10.1.0.10 lan
	                                        └── gateway b ──┘
	                 virtual: 198.51.100.2, 2001:db8:2::2     10.1.0.1, fd01::1
EOT

step 'the configuration of both; only the line `node:` differs'
PAIR_PSK=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n') PAIR_SECRET=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
# shellcheck disable=SC2034
STORY_PSK=$PAIR_PSK
pair_config a | sed -n "/^node:/p; /^dataplane:/p; /^ha:/,/^ike:/p" | sed -E "/^ike:/d; /^ *\$/d; s,$RIG/a/,/etc/gateway/,; s/.*/    $DIM&$PLAIN/"
started=$(now_ms)
node_start a || die 'gatewayd did not start'
node_start b || die 'gatewayd did not start'
wait_synced 20 || die 'the two nodes do not find each other'
say "    $(active) is active, $(standby) stands by and is in sync, $(($(now_ms) - started)) ms after the start of the first"

# Noise, so that every octet of the download is looked at. A word that nobody else knows can be looked for on the road.
word=page-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
mkdir -p "$RIG/www"
for _ in {1..50}; do printf '%s\n' "$word"; done >"$RIG/www/word"
head -c $((RATE * 70)) /dev/urandom >"$RIG/www/download"
rig_start web lan python3 "$TOP/tests/rig/web.py" "$RIG/www" "$RATE"
wait_for 10 'the web server' on lan curl -sf -o /dev/null "http://$LAN_V4/word"
pair_capture

step "a real client: $(client_name)"
client_start
client_configure esp_proposals=aes128gcm16
! on client ping -q -n -c 1 -W 0.3 "$LAN_V4" >/dev/null || die "the client reaches $LAN_V4 without a tunnel"
started=$(now_ms)
client_up || die "the client could not connect: $(tail -n 3 "$RIG/log/up-client" | tr '\n' ' ')"
say "    connected in $(($(now_ms) - started)) ms; inner addresses $(client_inner v4) and $(client_inner v6)"
on client curl -sf -m 10 -o "$RIG/word" "http://$LAN_V4/word" && cmp -s "$RIG/word" "$RIG/www/word" || die 'a page did not come through the tunnel'
gatewayd_ctl "$(active)" list-sas | sed 's/^/    /'
# What the client's log has so far is about connecting; all that comes now is about what we do.
wait_synced 10 || die 'the standby does not follow'
log_before=$(charon_log client | wc -l)
ike_before=$(client_spi ike) child_before=$(client_spi in)

# states NODE: what the kernel of a node has, without the keys.
states() {
	say "    $1\$ ip -s xfrm state list nokeys"
	on "$1" ip -s xfrm state list nokeys | sed "s/^/    $DIM/; s/\$/$PLAIN/"
}
if [[ $DATAPLANE == kernel ]]; then
	step 'the SAs in the kernels of both: the standby has them too, further ahead than the active one may go'
	states "$(active)"
	states "$(standby)"
fi

step "through the tunnel, from now to the end: a ping, $FLOW packets/s each way, one download"
# A small window: no bursts of the download that would push packets of the flow out of the client's queues.
on client sysctl -qw net.ipv4.tcp_rmem='4096 65536 65536'
flow_start "$FLOW" --series "$RIG/series"
rig_start ping client ping -n -D -i "$PING" -W 1 "$LAN_V4"
rig_start curl client curl -s -m 300 -o "$RIG/download" "http://$LAN_V4/download"

# ---- the live table ----

# cell WIDTH COLOUR TEXT
cell() { printf '%s%-*s%s ' "$2" "$1" "$3" "$PLAIN"; }
role_cell() {
	local role
	if [[ $1 == "$HUNG" ]]; then
		role=hung
	else
		role=$(timeout 0.4 "$GATEWAY_BUILD/gatewayctl" --socket "$RIG/$1/control.sock" ha status --json 2>/dev/null | jq -r .role 2>/dev/null) || true
	fi
	case ${role:-down} in
	active) cell 10 "$GREEN$BOLD" active ;;
	hung | down) cell 10 "$RED" "${role:-down}" ;;
	*) cell 10 "$CYAN" "$role" ;;
	esac
}
table_head() {
	printf '\n    %s%8s  %-10s %-10s %9s  %22s  %22s  %9s%s\n' "$DIM" 'time' 'node a' 'node b' 'ping' 'to LAN: lost, silent' 'to client: lost, silent' 'download' "$PLAIN"
}
table_row() {
	local t _up up_lost up_age _down down_lost down_age rtt size
	read -r t _up up_lost up_age _down down_lost down_age < <(tail -n 5 "$RIG/log/flow" | grep -v '^part' | tail -n 1) || return 0
	rtt=$(tail -n 1 "$RIG/log/ping" | sed -n 's/.*time=\([0-9.]*\) ms$/\1/p')
	size=$(stat -c %s "$RIG/download" 2>/dev/null || echo 0)
	printf '    %6d.%d  ' $((t / 1000)) $((t % 1000 / 100))
	role_cell a
	role_cell b
	printf '%6s ms  %12d %6d ms  %12d %6d ms  %6d MB\n' "${rtt:--}" "$up_lost" "$up_age" "$down_lost" "$down_age" $((size / 1000000))
}
# rows MS [SECONDS COMMAND...]: the table goes on for so long, and until COMMAND succeeds.
rows() {
	local until=$(($(now_ms) + $1)) limit next=0
	shift
	limit=$((until + ${1:-0} * 1000))
	(($# == 0)) || shift
	while :; do
		if (($(now_ms) >= next)); then
			next=$(($(now_ms) + ROW_MS))
			table_row
		fi
		if (($(now_ms) >= until)); then
			if (($# == 0)) || "$@"; then return 0; fi
			(($(now_ms) < limit)) || return 1
		fi
		sleep 0.05
	done
}

# event NAME TEXT COMMAND...: something befalls a node; the table goes on until both are in sync again.
EVENTS=()
event() {
	local name=$1 text=$2 was to gap_up gap_down lost_up lost_down
	shift 2
	was=$(active)
	printf '    %s── %s ──%s\n' "$BOLD" "$text" "$PLAIN"
	flow_mark "$name"
	EVENTS+=("$name")
	"$@"
	rows 1000 10 node_is "$(other "$was")" active || die "$(other "$was") did not take over"
	if [[ -n $HUNG ]]; then
		node_wake "$HUNG"
		HUNG=''
		printf '    %s── %s goes on (SIGCONT), and finds that it is not needed ──%s\n' "$DIM" "$was" "$PLAIN"
	fi
	rows 500 20 pair_synced || die 'the pair is not in sync again'
	flow_mark "after-$name"
	wait_for 5 'the figures' grep -q "^part $name " "$RIG/log/flow"
	read -r _ _ gap_up gap_down lost_up lost_down < <(grep "^part $name " "$RIG/log/flow")
	to=$(active)
	printf '    %s── %s has taken over from %s: gap %s ms up, %s ms down; %s and %s packets lost ──%s\n' \
		"$GREEN" "$to" "$was" "$gap_up" "$gap_down" "$lost_up" "$lost_down" "$PLAIN"
}
hang() {
	HUNG=$1
	shift
	kill -STOP "$@"
}

table_head
rows 1000
event kill "SIGKILL to the daemon of $(active), the active one" kill -KILL "$(node_daemon "$(active)")"
event hang "SIGSTOP to $(active), daemon and parent" hang "$(active)" "$(node_parent "$(active)")" "$(node_daemon "$(active)")"
event switchover "gatewayctl ha switchover" node_ctl "$(active)" ha switchover
rows 500

# ---- what it came to ----

rig_stop ping INT || true
rig_stop curl || true
flow_end
if [[ $DATAPLANE == kernel ]]; then
	step "the kernel of $(active) now"
	states "$(active)"
fi
step 'what the client made of it: every IKE message in its log since the tunnel stood'
charon_log client | tail -n +$((log_before + 1)) >"$RIG/since"
messages=$(grep -E -c '(generating|parsed) [A-Z_]+ (request|response)' "$RIG/since" || true)
noticed=$(grep -E -c 'retransmit|initiating|rekey|reauth|peer not responding|deleting|closing|dead' "$RIG/since" || true)
say "    $messages IKE messages, $noticed lines about retransmission, rekeying, deletion or a dead peer"
grep -v 'sequence number verif\|SPI [0-9a-f]* \[seq' "$RIG/since" | head -n 20 | sed 's/^/      /' || true
judge 'IKE messages that the client saw about it' "$messages" messages '== 0'
judge 'lines about trouble in its log' "$noticed" lines '== 0'
replays=$(grep -c 'sequence number verification failed' "$RIG/since" || true)
[[ $CHARON_ESP != kernel ]] || replays=$(on client awk '$1 == "XfrmInStateSeqError" { print $2 }' /proc/net/xfrm_stat)
aim 'packets that the client took for replays' "$replays" packets '== 0'
if [[ $(client_spi ike) == "$ike_before" && $(client_spi in) == "$child_before" ]]; then same=true; else same=false; fi
result 'the same IKE SA and the same CHILD SA as before' "$([[ $same == true ]] && echo 1 || echo 0)" times '== 1' "$same"

step 'what the capture of the road says'
least=$(flow_says '.down.arrived * 9 / 10 | floor')
if pair_wire_clean "$least"; then clean=true; else clean=false; fi
jq -r '"    \(.esp) ESP packets of the gateways, \(.sas | map(.jumps) | add) jumps of sequence numbers; used twice: \(.repeated_sequence) numbers, \(.repeated_iv) nonces"' "$RIG/wire.json"
words=$(grep -a -c -- "$word" "$RIG/road.pcap" || true)
say "    the page in clear, on the road: $words times"
judge 'sequence numbers used twice' "$(jq .repeated_sequence "$RIG/wire.json")" times '== 0'
judge 'nonces used twice' "$(jq .repeated_iv "$RIG/wire.json")" times '== 0'
result 'ESP packets that the capture saw' "$(jq .esp "$RIG/wire.json")" packets ">= $least" "$clean"
judge 'page in clear on the road' "$words" times '== 0'

size=$(stat -c %s "$RIG/download")
if ((size > 1000000)) && cmp -s -n "$size" "$RIG/download" "$RIG/www/download"; then same=true; else same=false; fi
result 'download, one TCP connection' "$((size / 1000000))" MB 'as served' "$same"

# The goals of a failover at default timers; a planned switchover has its own.
for name in kill hang; do
	aim "$name: longest gap" "$(flow_says ".marks[] | select(.name == \"$name\") | [.up.gap_ms, .down.gap_ms] | max")" ms \
		"<= 200"
	result "$name: packets lost, of $FLOW/s each way" "$(flow_says ".marks[] | select(.name == \"$name\") | .up.lost + .down.lost")" packets
done
# Where packets are 10 ms apart, a gap of 5 ms cannot be seen.
gap=$(flow_says '.marks[] | select(.name == "switchover") | [.up.gap_ms, .down.gap_ms] | max')
if ((FLOW >= 1000)); then
	aim 'switchover: longest gap' "$gap" ms '<= 5'
else
	result 'switchover: longest gap' "$gap" ms
fi
aim 'switchover: packets lost' "$(flow_says '.marks[] | select(.name == "switchover") | .up.lost + .down.lost')" packets '<= 5'
result 'without any event: longest gap, which is the machine'"'"'s' "$(flow_says '[.marks[] | select(.name | startswith("after")) | .up.gap_ms, .down.gap_ms] | max')" ms
result 'whole run: longest gap' "$(flow_says '[.up.gap_ms, .down.gap_ms] | max')" ms
result 'whole run: packets lost' "$(flow_says '.up.lost + .down.lost')" packets
result 'whole run: packets sent' "$(flow_says '.up.sent + .down.sent')" packets
judge 'tunnels lost' "$((1 - $(client_count ike)))" tunnels '== 0'

"$TOP/interop/demo/plot.sh" "$RIG" "$OUT" "$(client_name)" "$DATAPLANE" "$messages"

finish() {
	aim 'seconds in all' "$(jq -n "$(($(now_ms) - begin)) / 1000")" s "<= $LIMIT"
	printf '%s\n' "${RESULTS[@]}" | jq -s --arg client "$(client_name)" --arg plane "$DATAPLANE" '{name: "demo", client: $client, plane: $plane,
		passed: (map(select(.met == false)) | length == 0), results: .}' >"$OUT/summary.json"
	step 'summary (build/demo/summary.json; failover.svg and failover.png beside it)'
	jq -r '.results[] | "    \(if .met == false then "MISSED" else "ok    " end)  \(.measure): \(.value) \(.unit)\(if .goal then "  (\(.goal))" else "" end)"' "$OUT/summary.json"
}

if [[ -n ${KEEP:-} && ${KEEP:-} != 0 ]]; then
	finish
	trap - EXIT INT TERM HUP
	step 'left running; to play with it'
	cat <<-EOT
		    $GATEWAY_BUILD/gatewayctl --socket $RIG/a/control.sock ha status        (or $RIG/b/control.sock)
		    $GATEWAY_BUILD/gatewayctl --socket $RIG/$(active)/control.sock ha switchover
		    kill -KILL $(node_daemon a)     the daemon of a; $(node_parent a) is its parent; of b: $(node_daemon b) and $(node_parent b)
		    ip -n $RIG_ID-switch link set a-out down     pulls a cable: a-out, a-lan, a-sync, and b's
		    ip netns exec $RIG_ID-client ping -i 0.05 $LAN_V4
		    ip netns exec $RIG_ID-client curl http://$LAN_V4/word
		    ip netns exec $RIG_ID-router tcpdump -n -i out
		    less $RIG/log/gatewayd-a $RIG/log/gatewayd-b $RIG/client/run/charon.log

		and to end it:
		    $TOP/tests/rig/rig.sh stop $RIG
	EOT
	exit "$((FAILED > 0))"
fi

step 'the client says goodbye, the gateways stop'
client_down || true
left=$(gatewayd_ctl "$(active)" list-sas --json | jq '.sas | length')
judge 'SAs after the goodbye' "$left" SAs '== 0'
client_stop
ended=true
node_stop "$(standby)" || ended=false
for node in a b; do
	[[ ! -e $RIG/pid/gatewayd-$node ]] || node_stop "$node" || ended=false
done
result 'both gateways ended in order' "$([[ $ended == true ]] && echo 1 || echo 0)" times '== 1' "$ended"
finish
if ((FAILED > 0)); then
	warn "the demo FAILED: $FAILED of the above"
	exit 1
fi
say
say "The demo succeeded: three failovers, and the client saw $messages IKE messages about it."
