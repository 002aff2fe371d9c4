# shellcheck shell=bash
# Two gateways that stand for each other, and all that can befall them. Needs rig.sh, charon.sh and gatewayd.sh.
#
#                                                       ┌─ out a lan ─┐
#   client          router                              │ .11     .11 │             lan
#   out 192.0.2.10  in 192.0.2.1 | out 198.51.100.1  ───┤  sync │     ├───  eth 10.1.0.10
#   2001:db8:1::10  2001:db8:2::1                       │ .12     .12 │     fd01::10
#                                                       └─ out b lan ─┘
#   virtual: 198.51.100.2, 2001:db8:2::2 outside; 10.1.0.1, fd01::1 in the LAN. Sync link 10.255.0.1 and .2, fd55::1, ::2.
#
# Between them a namespace `switch` with a bridge for each of the three: a port is called NODE-LINK (a-out, b-sync, …), so
# a cable can be pulled (the node sees it) or go deaf (it does not).
#
#   pair_topology
#   node_start a; node_start b            gatewayd with its parent process; the configuration is pair_config's
#   wait_role a active; wait_synced
#   node_kill a; node_kill_all a          SIGKILL: the daemon, or its parent, too
#   node_hang a; node_wake a              SIGSTOP and SIGCONT, of both processes (node_hang a daemon: of that one)
#   node_power_off a; node_power_on a     everything at once, kernel state, too; then the machine boots
#   node_stop a                           in order
#   link_cut out a; link_join out a       the cable, seen by the node
#   link_loss out a in 30                 percent of frames lost on the way to (in), from (out) or both, unseen; 0: none
#   link_delay sync a 50ms 20ms           later, with jitter, which reorders; where the kernel has netem (pair_has_netem)
#   active, standby                       which node is
#
# Settings before node_start: PAIR_HA, further lines of `ha:`; PAIR_TOP, of the file; PAIR_CHILD, of the CHILD SA;
# PAIR_HEARTBEAT ("interval: 10ms, misses: 3"); PAIR_ACK_TIMEOUT; GATEWAY_PLANE.

# shellcheck disable=SC2034
{
	NODE_OUT_A=198.51.100.11 NODE_OUT_B=198.51.100.12
	NODE_SYNC_A=10.255.0.1 NODE_SYNC_B=10.255.0.2
}
PAIR_PSK=${PAIR_PSK:-correct-horse-battery-staple}
PAIR_SECRET=${PAIR_SECRET:-0123456789abcdef0123456789abcdef}

pair_topology() {
	local ns link n

	for ns in client router switch a b lan; do rig_namespace "$ns"; done
	for link in out lan sync; do
		ip -n "$RIG_ID-switch" link add "br-$link" type bridge forward_delay 0 stp_state 0 mcast_snooping 0
		ip -n "$RIG_ID-switch" link set "br-$link" up
		for n in a b; do pair_plug "$n" "$link" "$n-$link" "$link"; done
	done
	pair_plug router out r-out out
	pair_plug lan eth l-lan lan
	rig_link client out router in
	rig_addr client out 192.0.2.10/24 2001:db8:1::10/64
	rig_addr router in 192.0.2.1/24 2001:db8:1::1/64
	rig_addr router out 198.51.100.1/24 2001:db8:2::1/64
	rig_default client 192.0.2.1 2001:db8:1::1
	rig_forward router
	for n in 1 2; do
		ns=$([[ $n == 1 ]] && echo a || echo b)
		rig_addr "$ns" out "198.51.100.1$n/24" "2001:db8:2::1$n/64"
		rig_addr "$ns" lan "10.1.0.1$n/24" "fd01::1$n/64"
		rig_addr "$ns" sync "10.255.0.$n/24" "fd55::$n/64"
		rig_default "$ns" 198.51.100.1 2001:db8:2::1
		rig_forward "$ns"
		# A capture shall see packets, not trains of them that the last device takes apart.
		ip -n "$RIG_ID-$ns" link set out gso_max_segs 1
		# As on a real machine: an address answers ARP only on the interface that it is on.
		on "$ns" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	done
	rig_addr lan eth 10.1.0.10/24 fd01::10/64
	rig_default lan 10.1.0.1 fd01::1
	# They believe unsolicited announcements of neighbours that they have not heard of, as routers do.
	on router sysctl -qw net.ipv4.conf.all.arp_accept=1 net.ipv6.conf.all.accept_untracked_na=1 2>/dev/null || true
	for ns in a b; do
		wait_for 5 "the service link of $ns" on "$ns" ping -c 1 -W 0.1 192.0.2.10
		wait_for 5 "the LAN link of $ns" on "$ns" ping -c 1 -W 0.1 "$LAN_V4"
	done
	wait_for 5 'the sync link' on a ping -c 1 -W 0.1 "$NODE_SYNC_B"
}

# pair_plug NAMESPACE DEVICE PORT LINK: a cable from there into the bridge of that link.
pair_plug() {
	rig_link "$1" "$2" switch "$3"
	ip -n "$RIG_ID-switch" link set "$3" master "br-$4" up
}

# A second client, carol's neighbour dave: 192.0.3.10.
pair_second_client() {
	rig_namespace client2
	rig_link client2 out router in2
	rig_addr client2 out 192.0.3.10/24 2001:db8:3::10/64
	rig_addr router in2 192.0.3.1/24 2001:db8:3::1/64
	rig_default client2 192.0.3.1 2001:db8:3::1
	wait_for 5 'the link of client2' on client2 ping -c 1 -W 0.1 "$ROUTER_V4"
}

# ---- nodes ----

# The configuration of both, but for one line.
pair_config() {
	local node=$1
	cat <<-EOT
		node: $node
		control: {socket: $RIG/$node/control.sock}
		state_dir: $RIG/$node/state
		dataplane: ${GATEWAY_PLANE:-userspace}
		log: {level: ${PAIR_LOG:-info}}
		${PAIR_TOP:-}
		ha:
		  cluster: ${PAIR_CLUSTER:-rig}
		  secret: {file: $RIG/$node/ha}
		  nodes:
		    a: {sync: $NODE_SYNC_A, heartbeat: [$NODE_OUT_A], priority: ${PAIR_PRIORITY_A:-100}}
		    b: {sync: $NODE_SYNC_B, heartbeat: [$NODE_OUT_B], priority: ${PAIR_PRIORITY_B:-100}}
		  ${PAIR_HEARTBEAT:+heartbeat: {$PAIR_HEARTBEAT\}}
		  ${PAIR_ACK_TIMEOUT:+ack_timeout: $PAIR_ACK_TIMEOUT}
		  ${PAIR_HA:-}
		  virtual_addresses:
		    outside: {address: $GATEWAY_V4/24, interface: out}
		    outside6: {address: "$GATEWAY_V6/64", interface: out}
		    inside: {address: 10.1.0.1/24, interface: lan}
		    inside6: {address: "fd01::1/64", interface: lan}
		ike:
		  retransmit: {first: 300ms, tries: 3}
		pools:
		  clients: {addresses: 10.10.0.0/16, dns: [10.1.0.1]}
		  clients6: {addresses: "fd10::/64"}
		connections:
		  road:
		    local: ${PAIR_LOCAL:-{id: gw.example.org\}}
		    psk: {file: $RIG/$node/psk}
		    pools: [clients, clients6]
		    ${PAIR_CONN:-}
		    children:
		      lan:
		        local: [10.1.0.0/24, "fd01::/64"]
		        ${PAIR_CHILD:-}
	EOT
}

# node_start NODE [NAME=VALUE...]: these in its environment (GATEWAY_FAULT).
node_start() {
	local node=$1 pair status=0
	shift
	gatewayd_secret "$node" psk "$PAIR_PSK"
	gatewayd_secret "$node" ha "${PAIR_SECRET_OF[$node]:-$PAIR_SECRET}"
	node_event start "$node"
	for pair in "$@"; do export "${pair?}"; done
	pair_config "$node" | gatewayd_start "$node" || status=1
	for pair in "$@"; do unset "${pair%%=*}"; done
	return "$status"
}
declare -A PAIR_SECRET_OF=()

# Processes of a node: the parent and the daemon itself.
node_parent() { rig_pid "gatewayd-$1"; }
node_daemon() {
	local parent child
	parent=$(node_parent "$1")
	child=$(pgrep -P "$parent" | head -n 1) || true
	printf '%s' "${child:-$parent}"
}

node_event() { printf '%s %s %s\n' "$(now_ms)" "$1" "$2" >>"$RIG/log/events"; }

node_kill() {
	node_event kill "$1"
	kill -KILL "$(node_daemon "$1")"
}
# Both at once: nobody is left to take the addresses away.
node_kill_all() {
	local daemon
	daemon=$(node_daemon "$1")
	node_event kill-all "$1"
	kill -KILL "$(node_parent "$1")" "$daemon" 2>/dev/null || true
	rig_stop "gatewayd-$1" KILL || true
}
node_hang() {
	node_event hang "$1"
	if [[ ${2:-} == daemon ]]; then
		kill -STOP "$(node_daemon "$1")"
	else
		kill -STOP "$(node_parent "$1")" "$(node_daemon "$1")"
	fi
}
node_wake() {
	node_event wake "$1"
	kill -CONT "$(node_daemon "$1")" "$(node_parent "$1")" 2>/dev/null || true
}
node_stop() {
	node_event stop "$1"
	gatewayd_stop "$1"
}
node_ctl() { gatewayd_ctl "$@"; }
node_log() { gatewayd_log "$1"; }

# First the cables, as when the power goes: nothing that a dying process does reaches anybody.
node_power_off() {
	local link
	for link in out lan sync; do link_cut "$link" "$1"; done
	node_kill_all "$1"
}
# A kernel that boots has no virtual addresses and no SAs.
node_power_on() {
	local link
	on "$1" ip xfrm state flush 2>/dev/null || true
	on "$1" ip xfrm policy flush 2>/dev/null || true
	ip -n "$RIG_ID-$1" addr del "$GATEWAY_V4/24" dev out 2>/dev/null || true
	ip -n "$RIG_ID-$1" addr del "$GATEWAY_V6/64" dev out 2>/dev/null || true
	ip -n "$RIG_ID-$1" addr del 10.1.0.1/24 dev lan 2>/dev/null || true
	ip -n "$RIG_ID-$1" addr del fd01::1/64 dev lan 2>/dev/null || true
	[[ ${2:-} != empty ]] || rm -rf "$RIG/$1/state"
	for link in out lan sync; do link_join "$link" "$1"; done
	node_start "$1"
}

# ---- roles ----

# What `ha status` says: node_says NODE JQ-FILTER.
node_says() { node_ctl "$1" ha status --json 2>/dev/null | jq -er "$2"; }
node_role() { node_says "$1" .role || printf 'none'; }
node_is() { [[ $(node_role "$1") == "$2" ]]; }
node_synced() { node_says "$1" .synced >/dev/null; }
wait_role() { wait_for "${3:-10}" "node $1 to be $2" node_is "$1" "$2"; }
# wait_synced [SECONDS]: would a failure be survived now?
wait_synced() { wait_for "${1:-15}" 'the pair to be in sync' pair_synced; }
pair_synced() {
	local n
	n=$(active) && node_synced "$n" && node_is "$(other "$n")" standby
}
active() {
	if node_is a active; then
		echo a
	elif node_is b active; then
		echo b
	else
		return 1
	fi
}
other() { if [[ $1 == a ]]; then echo b; else echo a; fi; }
standby() { other "$(active)"; }

# ---- links ----

link_cut() { ip -n "$RIG_ID-switch" link set "$2-$1" down; }
link_join() {
	ip -n "$RIG_ID-switch" link set "$2-$1" up
	# What a machine's own link loses with its carrier, its configuration gives back: routes and IPv6 addresses.
	[[ $1 != out ]] || { rig_default_again "$2"; }
}
rig_default_again() {
	ip -n "$RIG_ID-$1" route replace default via 198.51.100.1
	ip -n "$RIG_ID-$1" -6 route replace default via 2001:db8:2::1
}

# Has the kernel netem? Asked once.
pair_has_netem() {
	if [[ -z ${PAIR_NETEM:-} ]]; then
		PAIR_NETEM=no
		if on switch tc qdisc add dev lo root netem delay 1ms 2>/dev/null; then
			PAIR_NETEM=yes
			on switch tc qdisc del dev lo root
		fi
	fi
	[[ $PAIR_NETEM == yes ]]
}

# The device at whose end frames to (in) or from (out) that node leave: pair_netem NODE LINK DIRECTION SPEC...
pair_netem() {
	local node=$1 link=$2 direction=$3 ns=switch device=$1-$2
	shift 3
	[[ $direction == in ]] || ns=$node device=$link
	if (($# > 0)); then
		on "$ns" tc qdisc replace dev "$device" root netem "$@"
	else
		on "$ns" tc qdisc del dev "$device" root 2>/dev/null || true
	fi
}

# link_loss LINK NODE in|out|both PERCENT
link_loss() {
	local link=$1 node=$2 direction=$3 percent=$4 way rule

	for way in in out; do
		[[ $direction == both || $direction == "$way" ]] || continue
		if pair_has_netem; then
			if ((percent > 0)); then
				pair_netem "$node" "$link" "$way" loss "$percent%"
			else
				pair_netem "$node" "$link" "$way"
			fi
			continue
		fi
		on switch nft add table bridge rig
		on switch nft "add chain bridge rig $node-$link-$way { type filter hook forward priority 0; }"
		on switch nft flush chain bridge rig "$node-$link-$way"
		rule=$([[ $way == in ]] && echo oifname || echo iifname)
		((percent == 0)) || on switch nft add rule bridge rig "$node-$link-$way" "$rule" "$node-$link" \
			$( ((percent >= 100)) || echo numgen random mod 100 '<' "$percent") drop
	done
}

# link_delay LINK NODE DELAY JITTER [MORE...]: frames from that node; MORE as netem has it ("loss 5%").
link_delay() {
	local link=$1 node=$2
	shift 2
	pair_netem "$node" "$link" out ${1:+delay "$@"}
}

# ---- what is measured ----

# pair_capture: the road at the router, gateway's side, where all of both nodes comes by; pair_wire_clean looks through it.
pair_capture() {
	rig_start capture router tcpdump -n -U -B 65536 -s 0 -i "${1:-out}" -w "$RIG/road.pcap" \
		'udp port 500 or udp port 4500 or ip proto 50 or ip6 proto 50'
	wait_for 10 'tcpdump' grep -q 'listening on' "$RIG/log/capture"
}
# pair_wire_clean [AT-LEAST]: no number, no IV of the gateway's was used twice; JSON in $RIG/wire.json.
pair_wire_clean() {
	sleep 0.2
	rig_stop capture INT || true
	"$GATEWAY_BUILD/tests/rig/wire_check" --at-least "${1:-100}" --from "$GATEWAY_V4" --from "$GATEWAY_V6" \
		--from "$NODE_OUT_A" --from "$NODE_OUT_B" "$RIG/road.pcap" >"$RIG/wire.json"
}

# flow_start [RATE] [OPTIONS...]: a constant flow between the client and the LAN host, both ways. flow_mark NAME begins a
# part; flow_end ends it, JSON in $RIG/flow.json.
flow_start() {
	local rate=${1:-1000} inner
	shift || true
	inner=$(client_inner v4)
	mkfifo "$RIG/flow.fifo"
	# Somebody has it open for writing until the end.
	exec {FLOW_FD}<>"$RIG/flow.fifo"
	"$GATEWAY_BUILD/tests/rig/flow_meter" --rate "$rate" --json "$RIG/flow.json" "$@" \
		"$RIG_ID-client,$inner" "$RIG_ID-lan,$LAN_V4" <"$RIG/flow.fifo" >"$RIG/log/flow" 2>&1 {FLOW_FD}>&- &
	printf '%s\n' "$!" >"$RIG/pid/flow"
	wait_for 5 'the flow' flow_runs
}
flow_runs() { awk '$2 > 0 && $5 > 0 { n++ } END { exit !n }' "$RIG/log/flow"; }
flow_mark() { printf 'mark %s\n' "$1" >&"$FLOW_FD"; }
flow_end() {
	printf 'end\n' >&"$FLOW_FD"
	exec {FLOW_FD}>&-
	wait "$(rig_pid flow)" || true
	rm -f "$RIG/pid/flow" "$RIG/flow.fifo"
}
# flow_says JQ-FILTER: of its JSON.
flow_says() { jq -r "$1" "$RIG/flow.json"; }
