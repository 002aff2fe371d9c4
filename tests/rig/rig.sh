#!/usr/bin/env bash
# Network namespaces and processes for the demo, the interop stories and the benchmarks. To be sourced:
#
#   . tests/rig/rig.sh
#   rig_begin demo                  a private folder $RIG and a trap that removes everything at the end
#   rig_topology routed             the four namespaces below
#   rig_start web lan python3 ...   a background process in a namespace, its output in $RIG/log/web
#   wait_for 5 'the web server' curl -s http://...
#
# routed: what the tests use; the router stands for the Internet and can masquerade (rig_nat).
#
#   client                   router                              gateway                     lan
#   out 192.0.2.10    ────   in 192.0.2.1 | out 198.51.100.1   ────   out 198.51.100.2 | lan 10.1.0.1   ────   eth 10.1.0.10
#   2001:db8:1::10           2001:db8:1::1 | 2001:db8:2::1           2001:db8:2::2 | fd01::1              fd01::10
#
# direct: what the benchmarks use; no router between, the client is 198.51.100.10 and 2001:db8:2::10.
#
# Names of namespaces are made of this process's id, so runs do not collide. Only processes that were started here, or
# that live in these namespaces, are ever ended. Called as a program: `rig.sh stop DIR` ends a run that was kept.

# shellcheck disable=SC2034
RIG_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"

# Addresses of the drawing, for those who use the rig.
# shellcheck disable=SC2034
{
	GATEWAY_V4=198.51.100.2 GATEWAY_V6=2001:db8:2::2
	LAN_V4=10.1.0.10 LAN_V6=fd01::10
	ROUTER_V4=198.51.100.1
}

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
# One clear line, then the end (status 1 unless RIG_STATUS says otherwise).
die() {
	warn "error: $*"
	exit "${RIG_STATUS:-1}"
}

# Milliseconds of a clock that only goes forward.
now_ms() {
	local up
	read -r up _ </proc/uptime
	printf '%s' "$((10#${up/./} * 10))"
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds; false, with a line, when it does not in time. Where all is
# slow (tests/qemu, tests/uml), RIG_PATIENCE says how many times longer it may take.
wait_for() {
	local seconds=$(($1 * ${RIG_PATIENCE:-1})) what=$2 end
	shift 2
	end=$(($(now_ms) + seconds * 1000))
	until "$@" >/dev/null 2>&1; do
		if (($(now_ms) > end)); then
			warn "waited $seconds s in vain for: $what"
			return 1
		fi
		sleep 0.05
	done
}

# What the rig cannot do without, told before anything is made.
rig_require() {
	local tool missing=()

	((EUID == 0)) || die "namespaces and TUN devices need root: run it as root (sudo)"
	for tool in ip ping "$@"; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	((${#missing[@]} == 0)) || die "not installed: ${missing[*]}: run 'make deps'"
	[[ -c /dev/net/tun ]] || die "/dev/net/tun is missing: modprobe tun, or give the container that device"
	ip netns add "gwtry$$" 2>/dev/null || die "cannot make network namespaces: CAP_SYS_ADMIN is missing here"
	if ! ip netns exec "gwtry$$" true 2>/dev/null; then
		ip netns delete "gwtry$$"
		die "cannot enter network namespaces: is / a mount point here (a bare chroot is not)?"
	fi
	ip netns delete "gwtry$$"
}

# rig_begin NAME: $RIG is the folder of this run, $RIG_ID the first part of its namespaces' names.
rig_begin() {
	RIG_ID=gw$BASHPID
	# Short, because unix socket paths are.
	RIG=$(mktemp -d "${TMPDIR:-/tmp}/$RIG_ID-$1.XXXX")
	mkdir -p "$RIG/pid" "$RIG/log"
	printf '%s\n' "$RIG_ID" >"$RIG/id"
	trap 'rig_on_exit $?' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# Ends the run; users may define rig_at_exit STATUS, which is called first (to keep logs, to tell the result).
rig_on_exit() {
	trap - EXIT INT TERM HUP
	set +e
	if declare -F rig_at_exit >/dev/null; then
		rig_at_exit "$1"
	fi
	rig_end
	exit "$1"
}

rig_end() {
	local ns pid

	for pid in "$RIG"/pid/*; do
		[[ -e $pid ]] && rig_stop "${pid##*/}" >/dev/null
	done
	for ns in $(rig_namespaces); do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do
			kill -KILL "$pid" 2>/dev/null
		done
		ip netns delete "$ns" 2>/dev/null
	done
	rm -rf "$RIG"
	return 0
}

# Full names of this run's namespaces.
rig_namespaces() {
	ip netns list | awk -v id="$RIG_ID-" 'index($1, id) == 1 { print $1 }'
}

# on NAMESPACE COMMAND...: runs it there (client, router, gateway, lan).
on() {
	local ns=$RIG_ID-$1
	shift
	# Only the network, without the mounts of `ip netns exec`, which would cost more than most commands.
	nsenter --net="/run/netns/$ns" "$@"
}

# rig_start NAME NAMESPACE COMMAND...: in the background; output in $RIG/log/NAME. RIG_NICE: its priority over what else
# the machine does, where that is not to be measured.
rig_start() {
	local name=$1 ns=$RIG_ID-$2
	shift 2
	# A session of its own: Ctrl-C ends the run, and the run ends its processes, in order.
	setsid ${RIG_NICE:+nice -n "$RIG_NICE"} nsenter --net="/run/netns/$ns" "$@" >>"$RIG/log/$name" 2>&1 </dev/null &
	printf '%s\n' "$!" >"$RIG/pid/$name"
}

rig_pid() { cat "$RIG/pid/$1"; }

rig_alive() {
	local pid
	[[ -e $RIG/pid/$1 ]] && read -r pid <"$RIG/pid/$1" && rig_running "$pid"
}

# rig_stop NAME [SIGNAL]: ends it and waits; SIGKILL after 5 s. The exit status is the process's own where it was a
# child of this shell, 137 where it had to be killed.
rig_stop() {
	local name=$1 signal=${2:-TERM} pid status=0 end

	[[ -e $RIG/pid/$name ]] || return 0
	read -r pid <"$RIG/pid/$name"
	rm -f "$RIG/pid/$name"
	kill "-$signal" "$pid" 2>/dev/null
	kill -CONT "$pid" 2>/dev/null
	end=$(($(now_ms) + 5000))
	while rig_running "$pid" && (($(now_ms) < end)); do
		sleep 0.02
	done
	if rig_running "$pid"; then
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
		return 137
	fi
	wait "$pid" 2>/dev/null || status=$?
	((status == 127)) && status=0 # not our child: a kept run
	return "$status"
}

# Neither gone nor a zombie.
rig_running() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	[[ ${stat%% *} != [ZX] ]]
}

rig_namespace() {
	ip netns add "$RIG_ID-$1"
	# New namespaces inherit the host's values, so everything that matters is said. Without duplicate address detection
	# an IPv6 address can be used at once.
	on "$1" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
		net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0
	ip -n "$RIG_ID-$1" link set lo up
}

# rig_topology routed|direct
rig_topology() {
	local ns all=(client gateway lan)

	[[ $1 == direct ]] || all+=(router)
	for ns in "${all[@]}"; do
		rig_namespace "$ns"
	done
	case $1 in
	routed)
		rig_link client out router in
		rig_link router out gateway out
		rig_addr client out 192.0.2.10/24 2001:db8:1::10/64
		rig_addr router in 192.0.2.1/24 2001:db8:1::1/64
		rig_addr router out 198.51.100.1/24 2001:db8:2::1/64
		rig_default client 192.0.2.1 2001:db8:1::1
		rig_forward router
		;;
	direct)
		rig_link client out gateway out
		# No default route: into the LAN leads the tunnel or nothing.
		rig_addr client out 198.51.100.10/24 2001:db8:2::10/64
		;;
	esac
	rig_link gateway lan lan eth
	rig_addr gateway out 198.51.100.2/24 2001:db8:2::2/64
	rig_addr gateway lan 10.1.0.1/24 fd01::1/64
	rig_addr lan eth 10.1.0.10/24 fd01::10/64
	rig_default lan 10.1.0.1 fd01::1
	if [[ $1 == routed ]]; then
		rig_default gateway 198.51.100.1 2001:db8:2::1
	fi
	rig_forward gateway
	for ns in client lan; do
		wait_for 5 "the link of $ns" on "$ns" ping -c 1 -W 0.1 "$GATEWAY_V6"
		wait_for 5 "the link of $ns" on "$ns" ping -c 1 -W 0.1 "$GATEWAY_V4"
	done
}

# A cable: NAMESPACE DEVICE NAMESPACE DEVICE. Where both ends happen to have the same interface index, the kernel takes
# up to a second to see that the link is up; so they get indexes of their own.
RIG_INDEX=10
rig_link() {
	ip link add name "$2" index $((RIG_INDEX++)) netns "$RIG_ID-$1" type veth \
		peer name "$4" index $((RIG_INDEX++)) netns "$RIG_ID-$3"
}

rig_addr() {
	ip -n "$RIG_ID-$1" addr add "$3" dev "$2"
	ip -n "$RIG_ID-$1" addr add "$4" dev "$2" nodad
	ip -n "$RIG_ID-$1" link set "$2" up
}

rig_default() {
	ip -n "$RIG_ID-$1" route add default via "$2"
	ip -n "$RIG_ID-$1" -6 route add default via "$3"
}

rig_forward() {
	on "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# rig_nat BASE: the router hides the client behind its own address (IPv4), ports 500 and 4500 behind BASE and BASE + 1.
# Once more with another BASE: the mapping has changed under the client's feet, as when a NAT forgets or restarts.
rig_nat() {
	local rule=(-t nat -A POSTROUTING -o out -s 192.0.2.10 -p udp)

	if ! rig_has_nft; then
		on router iptables-legacy -t nat -F POSTROUTING
		on router iptables-legacy "${rule[@]}" --sport 500 -j MASQUERADE --to-ports "$1"
		on router iptables-legacy "${rule[@]}" --sport 4500 -j MASQUERADE --to-ports "$(($1 + 1))"
		rig_nat_forgets
		return
	fi
	on router nft -f - <<-EOT
		table ip rig
		delete table ip rig
		table ip rig {
			map outward { type inet_service : inet_service; elements = { 500 : $1, 4500 : $(($1 + 1)) } }
			map inward { type inet_service : inet_service; elements = { $1 : 500, $(($1 + 1)) : 4500 } }
			chain leave {
				type filter hook postrouting priority 0;
				oifname "out" ip saddr 192.0.2.10 ip saddr set 198.51.100.1 udp sport set udp sport map @outward
			}
			chain arrive {
				type filter hook prerouting priority -300;
				iifname "out" ip daddr 198.51.100.1 udp dport { $1, $(($1 + 1)) } ip daddr set 192.0.2.10 udp dport set udp dport map @inward
			}
		}
	EOT
}

# rig_masquerade: the router hides all clients behind its own address, and chooses the ports, remembering them.
# rig_nat_forgets: it forgets what it chose; the same packets may get other ports.
rig_masquerade() {
	if rig_has_nft; then
		on router nft add table ip masq
		on router nft 'add chain ip masq leave { type nat hook postrouting priority 100; }'
		on router nft add rule ip masq leave oifname out ip protocol udp masquerade to :10000-60000 random
	else
		on router iptables-legacy -t nat -F POSTROUTING
		on router iptables-legacy -t nat -A POSTROUTING -o out -p udp -j MASQUERADE --to-ports 10000-60000 --random
	fi
}

# NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE of everything.
rig_nat_forgets() {
	on router python3 -c '
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.send(struct.pack("=IHHIIBBH", 20, 0x102, 5, 1, 0, 0, 0, 0))
status = struct.unpack_from("=i", s.recv(4096), 16)[0]
exit(-status)'
}

# User Mode Linux has no nft for IP, and iptables only in the kernel of the installed package (`# needs iptables`).
rig_has_nft() {
	on router nft add table ip rigtry 2>/dev/null && on router nft delete table ip rigtry
}

# A second client beside the first, in a network of its own: 192.0.3.10, 2001:db8:3::10.
rig_second_client() {
	rig_namespace client2
	rig_link client2 out router in2
	rig_addr client2 out 192.0.3.10/24 2001:db8:3::10/64
	rig_addr router in2 192.0.3.1/24 2001:db8:3::1/64
	rig_default client2 192.0.3.1 2001:db8:3::1
	wait_for 5 'the link of client2' on client2 ping -c 1 -W 0.1 "$GATEWAY_V4"
	wait_for 5 'the link of client2' on client2 ping -c 1 -W 0.1 "$GATEWAY_V6"
}

# The router drops everything between client and gateway, silently; and stops doing so.
rig_cut() { on router sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0; }
rig_mend() { rig_forward router; }

# Where a kept run ends: sets up $RIG and $RIG_ID of another process's run.
rig_adopt() {
	[[ -r $1/id ]] || die "$1 is not a run of this rig"
	RIG=$1 RIG_ID=$(cat "$1/id")
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	set -euo pipefail
	[[ ${1:-} == stop && $# == 2 ]] || RIG_STATUS=2 die "usage: rig.sh stop DIR"
	rig_adopt "$2"
	set +e
	rig_end
fi
