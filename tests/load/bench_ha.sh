#!/usr/bin/env bash
# `make bench-ha`: what a failover costs, with real processes: two gateways (tests/rig/pair.sh), a strongSwan client, 1,000
# packets a second each way through its tunnel (RATE; 200 on the kernel plane).
#
# ROUNDS (100) failovers of each kind and setting, MINUTES (10) of both cores busy, TUNNELS (10000). SECTIONS chooses:
#
#   defaults    node cut off, daemon killed, node hung, planned switchover, at default timers
#   tuned       the same but for the hung one with heartbeats of 10 ms x 3
#   many        node cut off, with TUNNELS tunnels besides; memory of both nodes for them; full resync of a standby
#   resync      full resync of a standby that comes back empty, with TUNNELS tunnels, beside what bench-xfrm installs
#   false, false-tuned              no failover for MINUTES while both cores are busy
#   replicate   CPU and latency of a handshake, alone and with a standby; the idle pair's apart
#   ceilings    updates of ceilings per data packet, throughput alone and with a standby
#   latency     log-ins at a fixed rate, quiet and during a full resync
#   lossy       5 % loss on the sync link while tunnels come: do the tables differ
#
# Each section leaves its part in build/bench/ha-PLANE.parts, and the report is made of all parts there are; so the whole
# may be run in pieces, MORE=yes adding failovers to those of a run before, and KINDS="kill switchover" those of these kinds
# only (tests/load/bench_ha_rounds.sh).
#
# GATEWAY_PLANE: userspace, on the host; kernel in tests/uml, whose clock ticks each 10 ms and whose one processor allows
# the default timers only. A gap is the longest time between two packets that arrived, the worse of both ways; percentiles
# by nearest rank. "quiet" is the same over the time without events: what the machine itself does. The processes have
# priority over what else the machine does (nice -20), and processors do not halt (stay_awake). Writes
# build/bench/ha-PLANE.json.

set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/rig.sh"
. "$TOP/tests/rig/charon.sh"
. "$TOP/tests/rig/gatewayd.sh"
. "$TOP/tests/rig/pair.sh"
. "$TOP/interop/strongswan/client.sh"
# shellcheck disable=SC2034
STORY_PSK=$PAIR_PSK
GATEWAY_BUILD=${GATEWAY_BUILD:-$TOP/build/release}
GATEWAY_PLANE=${GATEWAY_PLANE:-userspace}
[[ $GATEWAY_PLANE != kernel ]] || CHARON_ESP=kernel
ROUNDS=${ROUNDS:-100} MINUTES=${MINUTES:-10} TUNNELS=${TUNNELS:-10000}
# Packets a second each way. The one processor of User Mode Linux has no time left for heartbeats with as many as elsewhere.
RATE=${RATE:-$([[ $GATEWAY_PLANE == kernel ]] && echo 200 || echo 1000)}
SECTIONS=${SECTIONS:-defaults tuned many resync false false-tuned replicate ceilings latency lossy}
RIG_NICE=${RIG_NICE:--20}
TUNED='interval: 10ms, misses: 3'
OUT=$TOP/build/bench
PARTS=$OUT/ha-$GATEWAY_PLANE.parts
SAMPLES=$OUT/ha-$GATEWAY_PLANE.samples
mkdir -p "$OUT" "$PARTS" "$SAMPLES"
. "$TOP/tests/load/bench_ha_rounds.sh"

# result MEASURE VALUE UNIT [GOAL [PEER-NAME PEER-VALUE]]: GOAL as "<= 200".
result() {
	local met=null
	# What could not be measured is not met.
	[[ -z ${4:-} ]] || met=$(jq -n "$2 != null and $2 $4")
	jq -cn --arg measure "$1" --argjson value "$2" --arg unit "$3" --arg goal "${4:-}" --argjson met "$met" --arg peer "${5:-}" --arg theirs "${6:-}" \
		'{measure: $measure, value: $value, unit: $unit} + (if $goal == "" then {} else {goal: $goal, met: $met} end) +
		if $peer == "" then {} else {peer: {name: $peer, value: $theirs}} end' >>"$PARTS/$SECTION"
	printf '    %-58s %10s %-8s %s\n' "$1" "$2" "$3" "${4:+$4: $([[ $met == true ]] && echo met || echo MISSED)}"
}

# ---- a pair under measurement ----

# A virtual machine's processor that has halted for want of work is given back late by its host, by milliseconds where that
# has others to serve: then whoever is woken up by a packet waits for it. So there is always something to do, of the least
# priority. (Not in User Mode Linux, which shows its host's flags, and where each switch from one task to another is dear.)
stay_awake() {
	local cpu
	! grep -q 'User Mode Linux' /proc/cpuinfo || return 0
	grep -q '^flags.* hypervisor' /proc/cpuinfo || return 0
	for ((cpu = 0; cpu < $(nproc --all); cpu++)); do
		rig_start "awake-$cpu" switch taskset -c "$cpu" chrt --idle 0 bash -c 'while :; do :; done'
	done
}
bench_begin() {
	load_before=$(load_now)
	rig_begin "ha-$SECTION"
	pair_topology
	stay_awake
	node_start a || die 'node a did not start'
	node_start b || die 'node b did not start'
	wait_synced 20 || die 'no pair'
	client_start
	client_configure esp_proposals=aes128gcm16
	client_up || die 'the client could not connect'
	wait_synced 20 || die 'no pair'
	pair_capture
	sas=$(client_spi ike)-$(client_spi in)
	log_before=$(charon_log client | wc -l)
}
bench_end() {
	bench_keep
	rig_end
}
# Whatever the end of a section: what its processes said stays, for those who want to know why.
rig_at_exit() { [[ ! -d $RIG ]] || bench_keep; }
bench_keep() {
	local kept=$OUT/ha-$GATEWAY_PLANE.logs/$SECTION n
	rm -rf "$kept"
	mkdir -p "$kept"
	for n in a b; do node_ctl "$n" ha status --json >"$RIG/status-$n.json" 2>/dev/null || true; done
	cp -r "$RIG"/log/. "$RIG"/*.json "$RIG"/client/run/charon.log "$kept" 2>/dev/null || true
}

bench_defaults() {
	rounds cut kill hang switchover
	tell cut 'node cut off' '<= 150' '<= 200' ''
	tell kill 'daemon killed' '<= 10' '<= 60' ''
	tell hang 'node hung' '<= 150' '<= 200' ''
	tell switchover 'planned switchover' '' '<= 5' '<= 5'
	tell_run 'default timers'
}
bench_tuned() {
	PAIR_HEARTBEAT=$TUNED rounds cut kill switchover
	tell cut 'node cut off, 10 ms x 3' '<= 40' '<= 60' ''
	tell kill 'daemon killed, 10 ms x 3' '<= 10' '<= 60' ''
	tell switchover 'planned switchover, 10 ms x 3' '' '<= 5' '<= 5'
	tell_run '10 ms x 3'
}

# CPU and latency of node a are those of a machine of its own only where no other shares its processor and what that has
# in its cache. own_processor: all that is started from here on has the last processor; own_processor a: but for the loop
# of that node and its packet thread, which have the first.
own_processor() {
	local task
	(($(nproc --all) > 1)) || return 0
	if [[ $# == 0 ]]; then
		taskset -pc "$(($(nproc --all) - 1))" "$BASHPID" >/dev/null
		return
	fi
	for task in "/proc/$(node_daemon "$1")"/task/*; do
		[[ ${task##*/} != "$(node_daemon "$1")" && $(<"$task/comm") != esp-* ]] || taskset -pc 0 "${task##*/}" >/dev/null
	done
}

# ---- many tunnels ----

pss() { awk '/^Pss:/ { print $2 }' "/proc/$(node_daemon "$1")/smaps_rollup"; }
# load PLAN [OPTIONS...]: a crowd from the router; its JSON in $RIG/load.json.
load() {
	local plan=$1
	shift
	ip -n "$RIG_ID-router" route replace local 198.51.100.128/25 dev lo
	on router nice -n "${LOAD_NICE:--10}" "$GATEWAY_BUILD/tests/load/gw-load" --to "$GATEWAY_V4" --from 198.51.100.129 --sources 100 --plan "$plan" \
		--psk "$PAIR_PSK" --id "@${LOAD_ID:-load}.example.org" --nat "$@" >"$RIG/load.json" 2>"$RIG/log/load" || die "the crowd: $(tail -n 2 "$RIG/log/load")"
}

bench_many() {
	local rounds=$((ROUNDS < 20 ? ROUNDS : 20)) one many before_a before_b n PAIR_CONN='dpd: 0'
	samples_begin
	bench_begin
	n=$(active)
	before_a=$(pss "$n") before_b=$(pss "$(other "$n")")
	load "up:$TUNNELS" --patience 60
	wait_synced 60 || die 'the standby does not follow'
	result 'memory per tunnel, active (PSS growth)' "$(jq -n "(($(pss "$n") - $before_a) / $TUNNELS * 100 | round) / 100")" kB
	result 'memory per tunnel, standby (PSS growth)' "$(jq -n "(($(pss "$(other "$n")") - $before_b) / $TUNNELS * 100 | round) / 100")" kB \
		"<= $(jq -n "($(pss "$n") - $before_a) / $TUNNELS")"
	full_resync "$n"
	result "full resync of $TUNNELS tunnels, from the start of the standby" "$RESYNC_MS" ms
	flow_start "$RATE"
	flow_mark quiet
	failovers "$rounds" cut
	flow_end
	samples_take cut
	samples_run
	many=$(of cut gap_ms 50)
	one=$(SECTION=defaults of cut gap_ms 50)
	result "node cut off, $TUNNELS tunnels besides: longest gap, median of $rounds" "$many" ms
	result "node cut off, $TUNNELS tunnels besides: longest gap, p99 of $rounds" "$(of cut gap_ms 99)" ms '<= 200'
	result "$TUNNELS tunnels over one, median of the gaps" "$(jq -n "$one as \$one | if \$one then ($many / \$one * 100 | round) / 100 else null end")" times '<= 1.2' 'strongSwan ha' 'grows with segments x tunnels'
	result "node cut off $rounds times: tunnels afterwards" "$(node_ctl "$(active)" ha status --json | jq .tunnels)" tunnels ">= $((TUNNELS + 1))"
	bench_end
}

# full_resync ACTIVE: RESYNC_MS from the start of the other one, which comes back empty, until it holds everything.
full_resync() {
	node_again "$(other "$1")"
	wait_synced 120 || die 'no resync'
	RESYNC_MS=$(($(now_ms) - STARTED_MS))
}

# On the kernel plane the standby installs all of them into the kernel, and bench-xfrm says how fast that can be done for
# the first time. There, one processor sends, takes and installs.
bench_resync() {
	local n i plane='' empty all=() PAIR_CONN='dpd: 0'
	rig_begin ha-resync
	pair_topology
	node_start a || die 'node a did not start'
	node_start b || die 'node b did not start'
	wait_synced 20 || die 'no pair'
	n=$(active)
	full_resync "$n"
	empty=$RESYNC_MS
	load "up:$TUNNELS" --patience 120
	wait_synced 120 || die 'the standby does not follow'
	for i in 1 2 3; do
		full_resync "$n"
		all+=("$RESYNC_MS")
	done
	RESYNC_MS=$(printf '%s\n' "${all[@]}" | sort -n | head -n 2 | tail -n 1)
	result "full resync of $TUNNELS tunnels, from the start of the standby, median of 3" "$RESYNC_MS" ms
	result 'the same without tunnels' "$empty" ms
	result "tunnels a second, less what it takes without tunnels" "$(jq -n "($TUNNELS / ($RESYNC_MS - $empty) * 1000) | round")" 1/s
	if [[ $GATEWAY_PLANE == kernel ]]; then
		"$GATEWAY_BUILD/tests/load/bench-xfrm" "$RIG/xfrm.json" >"$RIG/log/xfrm" || die "$(tail -n 1 "$RIG/log/xfrm")"
		plane=$(jq '.results[] | select(.measure | startswith("tunnels installed for the first time, 10000")) | .value | round' "$RIG/xfrm.json")
		result 'tunnels a second that bench-xfrm installs for the first time, alone on the processor' "$plane" 1/s
	fi
	bench_end
}

# ---- nothing happens ----

promotions() {
	local n sum=0
	for n in a b; do sum=$((sum + $(node_ctl "$n" stats --json | jq .ha.node.promotions))); done
	printf '%s' "$sum"
}
# false_takeovers TEXT
false_takeovers() {
	local before pids=()
	samples_begin
	bench_begin
	flow_start "$RATE"
	flow_mark quiet
	before=$(promotions)
	for _ in 1 2; do
		(trap - EXIT; while :; do :; done) &
		pids+=($!)
	done
	sleep $((MINUTES * 60))
	kill "${pids[@]}"
	flow_end
	samples_run
	result "false takeovers in $MINUTES min, both cores busy$1" $(($(promotions) - before)) takeovers '<= 0'
	result "the flow meanwhile$1: longest gap" "$(run_says 'map(.quiet_ms[]) | max')" ms
	bench_end
}
bench_false() { false_takeovers ''; }
bench_false_tuned() { PAIR_HEARTBEAT=$TUNED false_takeovers ', 10 ms x 3'; }

# ---- packets ----

# cpu_us NODE: of its daemon's process and all its threads, to the nanosecond.
cpu_us() { cat "/proc/$(node_daemon "$1")"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.3f", sum / 1000 }'; }
# What the pair's active node has sent through tunnels, in packets; and how often it asked for higher ceilings.
packets_out() { node_ctl "$1" stats --json | jq '[.. | .out_packets? | numbers] | add'; }
raised() { node_ctl "$1" stats --json | jq .ha.node.ceilings_raised; }
# gauge PID: a line each quarter of a second, all of them sums: nanoseconds of CPU of the thread that has the packets, of
# all others, packets handed to it, nanoseconds of time. Until it is killed.
gauge() {
	while grep -H . "/proc/$1"/task/*/{comm,schedstat} "/proc/$1/net/dev"; do
		date +now:%s%N
		sleep 0.25
	done 2>/dev/null | awk -F: '
		$1 ~ /comm$/ { split($1, way, "/"); esp = $2 == "esp" ? way[5] : esp }
		$1 ~ /schedstat$/ { split($1, way, "/"); split($2, t, " "); ns[way[5]] = t[1] }
		$2 ~ /^ *gw[0-9]+$/ { split($3, t, " "); packets = t[10] }
		$1 == "now" {
			for (thread in ns)
				if (thread != esp)
					others += ns[thread]
			print ns[esp], others + 0, packets, $2
			fflush()
			others = 0
			delete ns
		}'
}
# through SECONDS NAME TURN: TCP from the LAN to the client. To $RIG/NAME.json a line {mbits}, to NAME.gauge a line for each
# quarter of a second: CPU of the thread that has the packets for one of them, us; CPU of the others, ms a second; packets;
# whether TURN is odd; and, where perf is, to NAME.calls system calls of the first per packet, of the others a second.
through() {
	local pid gauge perf=
	pid=$(node_daemon a)
	gauge "$pid" >"$RIG/gauge" 2>/dev/null &
	gauge=$!
	# Without the first half second, in which the connection finds its speed.
	sleep 0.2
	if command -v perf >/dev/null; then
		perf stat -x ' ' -e raw_syscalls:sys_enter --per-thread -p "$pid" -o "$RIG/calls" -- sleep "$(($1 - 1))" 2>/dev/null &
		perf=$!
	fi
	on client timeout $(($1 + 15)) iperf3 -J -R -c "$LAN_V4" -t "$1" >"$RIG/iperf.json" || die "iperf3: $(jq -r .error "$RIG/iperf.json")"
	pkill -P "$gauge" || true
	wait "$gauge" || true
	[[ -z $perf ]] || wait "$perf" || perf=
	jq -c '{mbits: (.end.sum_received.bits_per_second / 1e6)}' "$RIG/iperf.json" >>"$RIG/$2.json"
	awk -v odd="$(($3 % 2))" 'NR > 3 && $3 > packets && $4 > time {
			printf "%.4f %.4f %d %d\n", ($1 - esp) / ($3 - packets) / 1000, ($2 - others) / ($4 - time) * 1000, $3 - packets, odd
		}
		{ esp = $1; others = $2; packets = $3; time = $4 }' "$RIG/gauge" | sed '$d' >>"$RIG/$2.gauge"
	[[ -z $perf ]] || awk -v seconds="$(($1 - 1))" '
		FILENAME ~ /gauge$/ { if (FNR == 4) { packets = $3; time = $4 }; each = $4 > time ? ($3 - packets) / ($4 - time) * 1e9 : 0 }
		/raw_syscalls/ { if ($1 ~ /^esp-/) esp += $2; else others += $2 }
		END { if (esp > 0 && each > 0) printf "%.4f %.1f\n", esp / seconds / each, others / seconds }' "$RIG/gauge" "$RIG/calls" >>"$RIG/$2.calls"
}
through_alone() { through 4 alone "$i"; }
through_with() {
	local cpu
	cpu=$(cpu_us b)
	through 4 with "$i"
	jq -n "($(cpu_us b) - $cpu) / 4000" >>"$RIG/standby.json"
}
# calm FILE COLUMN [PATTERN]: what the calm tenth of the samples takes: whatever else runs here only adds.
calm() { grep -e "${3:-}" "$RIG/$1" | sort -g -k"$2,$2" | awk -v n="$2" '{ all[NR] = $n } END { print all[int(NR / 10) + 1] }'; }
middle_of() { sort -g -k"$2,$2" "$RIG/$1" | awk -v n="$2" '{ all[NR] = $n } END { print all[int(NR / 2) + 1] }'; }
bench_ceilings() {
	local i device address before n rounds=$((ROUNDS < 12 ? ROUNDS : 12))
	command -v iperf3 >/dev/null || die 'iperf3 is not installed'
	own_processor
	rig_begin ha-ceilings
	pair_topology
	node_start a || die 'node a did not start'
	wait_role a active 10
	own_processor a
	gatewayd_secret client psk "$PAIR_PSK"
	rig_start esp_client client "$GATEWAY_BUILD/tests/rig/esp_client" 192.0.2.10 "$GATEWAY_V4" client@example.org "$RIG/client/psk" 10.1.0.0/24
	wait_for 10 'esp_client' grep -q '^up ' "$RIG/log/esp_client" || die "$(tail -n 1 "$RIG/log/esp_client")"
	read -r _ device address <"$RIG/log/esp_client"
	ip -n "$RIG_ID-client" addr add "$address/32" dev "$device"
	ip -n "$RIG_ID-client" route add 10.1.0.0/24 dev "$device" src "$address"
	rig_start iperf lan iperf3 -s
	wait_for 5 'the tunnel' on client ping -q -n -c 1 -W 1 "$LAN_V4"
	before=$(raised a) n=$(packets_out a)
	# Alone is one whose standby has left in order, not one that has lost it. They take turns, each first every other time.
	for ((i = 0; i < rounds; i++)); do
		((i % 2)) || through_alone
		((i % 2)) || node_start b || die 'node b did not start'
		wait_synced 30 || die 'no pair'
		through_with
		((i % 2)) && { node_stop b || die 'node b did not stop'; }
		((i % 2)) && through_alone
	done
	median() { jq -s "map($2) | sort | .[length / 2 | floor] * 100 | round / 100" "$RIG/$1.json"; }
	# A standby that is another machine takes nothing of this one but CPU time; here it shares the processors, which wall
	# clock sees and CPU time does not.
	result "throughput of one tunnel, alone, median of $rounds" "$(median alone .mbits)" Mbit/s
	result "throughput of one tunnel, with a standby" "$(median with .mbits)" Mbit/s
	result 'throughput lost with a standby, by wall clock, the standby on the same processors' \
		"$(rounded "(1 - $(median with .mbits) / $(median alone .mbits)) * 100")" percent
	for i in alone with; do
		local as=${i/with/with a standby}
		result "CPU of the active's packet thread per packet, calm tenth, $as" "$(rounded "$(calm $i.gauge 1)")" us
		result "CPU of the active's other threads, calm tenth, $as" "$(rounded "$(calm $i.gauge 2)")" ms/s
		[[ ! -s $RIG/$i.calls ]] || result "system calls of the active's packet thread per packet, $as" "$(rounded "$(middle_of $i.calls 1)")" calls
		[[ ! -s $RIG/$i.calls ]] || result "system calls of the active's other threads, $as" "$(middle_of $i.calls 2)" calls/s
	done
	# CPU time differs by itself, by what shares the caches: where that is more than the goal, the counts tell.
	((rounds < 2)) || result "CPU per packet, alone against alone, every other turn: what the measurement itself differs by" \
		"$(rounded "(1 - $(calm alone.gauge 1 ' 0$') / $(calm alone.gauge 1 ' 1$')) * 100 | if . < 0 then -. else . end")" percent
	# What a core has for packets is what the other threads leave of it: that, and what a packet takes.
	result "throughput lost with a standby, by the active's CPU: packets" "$(rounded "(1 - $(calm alone.gauge 1) / $(calm with.gauge 1)) * 100")" percent
	result "throughput lost with a standby, by the active's CPU: other threads" "$(rounded "($(calm with.gauge 2) - $(calm alone.gauge 2)) / 10")" percent
	result "throughput lost with a standby, by the active's CPU, in all" \
		"$(rounded "(1 - $(calm alone.gauge 1) / $(calm with.gauge 1) * (1000 - $(calm with.gauge 2)) / (1000 - $(calm alone.gauge 2))) * 100")" percent '<= 1'
	result "CPU of the standby's process meanwhile" "$(median standby .)" ms/s
	result 'ceiling updates per data packet' "$(jq -n "($(raised a) - $before) / ($(packets_out a) - $n) * 100")" percent '<= 0.001' 'HPE' '1 per 100,000'
	bench_end
}

# ---- replication ----

# measure_handshakes NAME: of the active node a: CPU of a handshake when there are as many as can be, and at PACE a second,
# there less what the idle node needs; latency then. Another line each time; told are medians.
PACE=400
measure_handshakes() {
	local name=$1 n=$((TUNNELS < 1000 ? TUNNELS : 1000)) pid
	turn=$((turn + 1))
	pid=$(node_daemon a)
	LOAD_ID=$name-$turn load "wait:2000,up:$n" --pid "$pid"
	jq '.results[0].cpu_us_each / 2' "$RIG/load.json" >>"$RIG/idle-$name"
	jq '.results[1].cpu_us_each' "$RIG/load.json" >>"$RIG/all-$name"
	LOAD_ID=$name-paced-$turn load "up:$n" --pid "$pid" --rate "$PACE"
	jq '.results[0].cpu_us_each' "$RIG/load.json" >>"$RIG/paced-$name"
	jq '.results[0].took_us_median' "$RIG/load.json" >>"$RIG/took-$name"
}
# A daemon that holds much takes its time to end.
ended() { ! kill -0 "$1" 2>/dev/null; }
node_gone() {
	local daemon
	daemon=$(node_daemon "$1")
	node_kill_all "$1"
	wait_for 10 "the daemon of $1 to end" ended "$daemon"
}
rounded() { jq -n "$1 | . * 100 | round / 100"; }

# Alone and with a standby, each first every other time, of a node that has just started. Processors do not halt: else
# what is compared is how long they take to wake up.
bench_replicate() {
	local i what trip alone with turn=0 rounds=$((ROUNDS < 8 ? ROUNDS : 8))
	own_processor
	rig_begin ha-replicate
	pair_topology
	stay_awake
	for ((i = 0; i < rounds; i++)); do
		node_start a || die 'node a did not start'
		wait_role a active 10
		own_processor a
		((i % 2)) || measure_handshakes alone
		node_start b || die 'node b did not start'
		wait_synced 60 || die 'no pair'
		measure_handshakes standby
		node_ctl a ha status --json | jq .lag.round_trip_us >>"$RIG/trips"
		node_stop b || die 'node b did not stop'
		((i % 2)) && measure_handshakes alone
		node_gone a
	done
	trip=$(middle_of trips 1)
	for what in alone standby; do
		result "CPU of the idle node a second, $what" "$(rounded "$(middle_of idle-$what 1)")" us
		result "CPU of a handshake, as many as can be, $what" "$(rounded "$(middle_of all-$what 1)")" us
		result "CPU of a handshake, $PACE a second, less idle, $what" "$(rounded "$(middle_of paced-$what 1) - $(middle_of idle-$what 1) / $PACE")" us
		result "latency of a log-in, $PACE a second, median, $what" "$(middle_of took-$what 1)" us
	done
	result 'with a standby over alone, as many as can be' "$(rounded "$(middle_of all-standby 1) / $(middle_of all-alone 1)")" times '<= 1.25'
	alone="$(middle_of paced-alone 1) - $(middle_of idle-alone 1) / $PACE" with="$(middle_of paced-standby 1) - $(middle_of idle-standby 1) / $PACE"
	result "with a standby over alone, $PACE a second" "$(rounded "($with) / ($alone)")" times '<= 1.25'
	result 'added latency of a log-in (two requests) with a standby, in round trips of the link' \
		"$(rounded "($(middle_of took-standby 1) - $(middle_of took-alone 1)) / ([$trip, 1] | max)")" times '<= 2'
	rig_end
}

# The standby is another machine: beside the active node and the clients it has what these leave of the two processors,
# and more than whatever else runs here.
node_last() {
	local pid
	for pid in $(node_parent "$1") $(node_daemon "$1"); do
		find "/proc/$pid/task" -mindepth 1 -maxdepth 1 -printf '%f\n' | xargs renice -n -10 -p >/dev/null
	done
}
# A standby that comes back empty, started at STARTED_MS.
node_again() {
	node_gone "$1"
	STARTED_MS=$(now_ms)
	node_start "$1" || die 'the standby did not start'
}
# At a fixed rate while nothing else happens, and while a standby that came back empty gets everything; by turns, and each
# the median of its runs.
PER_SECOND=300 LOGINS=600
bench_latency() {
	local i n begin trip waited=0 slow=0 rounds=$((ROUNDS < 5 ? ROUNDS : 5)) PAIR_CONN='dpd: 0'
	own_processor
	rig_begin ha-latency
	pair_topology
	node_start a || die 'node a did not start'
	node_start b || die 'node b did not start'
	wait_synced 20 || die 'no pair'
	n=$(active)
	own_processor "$n"
	LOAD_ID=many load "up:$TUNNELS"
	wait_synced 60 || die 'the standby does not follow'
	: >"$RIG/latency-quiet.json" && : >"$RIG/latency-during.json" && : >"$RIG/latency-resync.json"
	for ((i = 0; i < rounds; i++)); do
		node_last "$(other "$n")"
		sleep 1
		LOAD_NICE=-20 LOAD_ID=before-$i load "up:$LOGINS" --rate "$PER_SECOND" --in-flight 500
		jq -c '.results[0]' "$RIG/load.json" >>"$RIG/latency-quiet.json"
		trip=$(node_ctl "$n" ha status --json | jq .lag.round_trip_us)
		node_again "$(other "$n")"
		node_last "$(other "$n")"
		begin=$(now_ms)
		LOAD_NICE=-20 LOAD_ID=during-$i load "up:$LOGINS" --rate "$PER_SECOND" --in-flight 500
		jq -c '.results[0]' "$RIG/load.json" >>"$RIG/latency-during.json"
		wait_synced 120 || die 'no resync'
		printf '{"ms": %s}\n' "$(($(now_ms) - begin))" >>"$RIG/latency-resync.json"
	done
	middle() { jq -s "map($2) | sort | .[length / 2 | floor]" "$RIG/latency-$1.json"; }
	waited=$(middle quiet .took_us_p99) slow=$(middle during .took_us_p99)
	result "log-ins refused during $rounds full resyncs of $TUNNELS tunnels, $PER_SECOND a second" "$(jq -s 'map(.failed) | add' "$RIG/latency-during.json")" log-ins '<= 0'
	result "full resync of $TUNNELS tunnels under log-ins, at most" "$(middle resync .ms)" ms
	result "log-in, $PER_SECOND a second: median" "$(middle quiet .took_us_median)" us
	result "log-in, $PER_SECOND a second: p99" "$waited" us
	result "log-in, $PER_SECOND a second, during a full resync: median" "$(middle during .took_us_median)" us
	result "log-in, $PER_SECOND a second, during a full resync: p99" "$slow" us
	result 'round trip of the link, acknowledged when installed' "$trip" us
	result 'p99 of a log-in (two requests) during a full resync, more than without, in round trips of the link' \
		"$(rounded "($slow - $waited) / ([$trip, 1] | max)")" times '<= 1'
	bench_end
}

bench_lossy() {
	local n
	rig_begin ha-lossy
	pair_topology
	node_start a || die 'node a did not start'
	node_start b || die 'node b did not start'
	wait_synced 20 || die 'no pair'
	if pair_has_netem; then
		for n in a b; do link_delay sync "$n" 50ms 20ms loss 5%; done
	else
		link_loss sync a both 5
	fi
	load 'up:500,child:200,ike:200,down:100'
	wait_synced 60 || die 'no sync'
	node_ctl "$(active)" ha verify --json >"$RIG/verify.json" || true
	result "sync link with 5 % loss$(pair_has_netem && echo ', 50 ms delay, reordering'): differences of the tables, after 1,000 exchanges" \
		"$(jq '.differing + .only_active + .only_standby' "$RIG/verify.json")" objects '<= 0' 'strongSwan ha' 'silent divergence'
	bench_end
}

rig_require jq swanctl unshare tcpdump pgrep taskset chrt
for SECTION in $SECTIONS; do
	declare -F "bench_${SECTION//-/_}" >/dev/null || RIG_STATUS=2 die "no section $SECTION"
	printf '%s (%s plane)\n' "$SECTION" "$GATEWAY_PLANE"
	rm -f "$PARTS/$SECTION"
	# A section that fails takes no other along.
	(eval "bench_${SECTION//-/_}") || warn "$SECTION FAILED"
done
cat "$PARTS"/* | jq -s --arg plane "$GATEWAY_PLANE" --arg client "strongSwan $(charon_version)" --arg kernel "$(uname -r)" \
	'{name: "ha", plane: $plane, client: $client, kernel: $kernel, results: .}' >"$OUT/ha-$GATEWAY_PLANE.json"
printf 'written: build/bench/ha-%s.json\n' "$GATEWAY_PLANE"
