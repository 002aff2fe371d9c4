# shellcheck shell=bash
# What the stories in interop/cases/ are written in. Each begins with:
#
#   . "$(dirname "$0")/../lib.sh"
#   story 'what it tells'
#
# and then reads as the story goes: gateway_* and client_* are the two sides, expect_* is what must be so. The first
# thing that fails ends the story with one line that says what. The topology is the routed one of tests/rig/rig.sh.
#
# From outside: CLIENT (strongswan), the peer; GATEWAY (gatewayd), or `charon` to tell whether a story fails by our
# daemon or by itself; GATEWAY_PLANE (userspace) or kernel; CHARON_ESP, libipsec or kernel (tests/rig/charon.sh), with
# stories that only tell with the latter marked `# needs esp`, with what only some rigs have `# needs nft`,
# `# needs interfaces`, `# needs kernel`, `# needs iptables` (interop/run.sh), and `# quick` those of a short run;
# GATEWAY_BUILD (build/debug); STORY_LOGS, a folder that keeps what a failed story leaves behind.

set -euo pipefail

INTEROP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$INTEROP/../tests/rig/rig.sh"
. "$INTEROP/../tests/rig/charon.sh"
. "$INTEROP/../tests/rig/gatewayd.sh"
. "$INTEROP/../tests/rig/pair.sh"
GATEWAY_BUILD=${GATEWAY_BUILD:-$RIG_TOP/build/debug}
GATEWAY=${GATEWAY:-gatewayd}
# shellcheck disable=SC2034
STORY_PSK=correct-horse-battery-staple

# shellcheck source=interop/strongswan/client.sh
. "$INTEROP/${CLIENT:-strongswan}/client.sh"
case $GATEWAY in
gatewayd) . "$INTEROP/gateway.sh" ;;
charon) . "$INTEROP/strongswan/gateway.sh" ;;
pair) ;; # interop/pair.sh, which reads this file
*) die "GATEWAY is gatewayd or charon" ;;
esac

story() {
	STORY=$(basename "$0" .sh)
	# shellcheck disable=SC2086
	rig_require $STORY_NEEDS
	rig_begin "$STORY"
	story_topology
}
story_topology() { rig_topology routed; }
STORY_NEEDS=jq

# Called at the end, before the rig goes: a story is told only when the daemon also ends well.
rig_at_exit() {
	local status=$1

	if ((status == 0)) && [[ -e $RIG/pid/$(gateway_process) ]] && ! gateway_stop; then
		warn "$STORY: the gateway did not end well"
		status=1
	fi
	if ((status != 0)) && [[ -n ${STORY_LOGS:-} ]]; then
		rm -rf "${STORY_LOGS:?}/$STORY"
		mkdir -p "$STORY_LOGS/$STORY"
		cp "$RIG"/log/* "$STORY_LOGS/$STORY/" 2>/dev/null
		cp "$RIG/gateway/gateway.yaml" "$RIG"/*.json "$STORY_LOGS/$STORY/" 2>/dev/null
		cp "$RIG/a/gateway.yaml" "$STORY_LOGS/$STORY/gateway-a.yaml" 2>/dev/null
		cp "$RIG/client/run/charon.log" "$STORY_LOGS/$STORY/client.log" 2>/dev/null
		cp "$RIG/gateway/run/charon.log" "$STORY_LOGS/$STORY/gateway.log" 2>/dev/null
		cp "$RIG/client/swanctl/swanctl.conf" "$STORY_LOGS/$STORY/client.conf" 2>/dev/null
	fi
	rig_end
	exit "$status"
}

# ---- what must be so ----

fail() {
	warn "$STORY: $*"
	exit 1
}

# The client connects, or must not be able to.
expect_up() { client_up || fail "the client could not connect: $(tail -n 3 "$RIG/log/up-client" | tr '\n' ' ')"; }
expect_refused() { ! client_up || fail 'the client got in'; }

# Packets flow through the tunnel, from the client to the host behind the gateway and back, each asked by its own side.
expect_flow() {
	local family client
	for family in "${@:-v4}"; do
		client=$(client_inner "$family") || fail "the client has no inner $family address"
		case $family in
		v4) expect_ping "$CLIENT_AT" "$LAN_V4" && expect_ping lan "$client" ;;
		v6) expect_ping "$CLIENT_AT" "$LAN_V6" && expect_ping lan "$client" ;;
		esac
	done
}

expect_ping() { on "$1" ping -q -n -c 3 -i 0.02 -W 2 "$2" >/dev/null || fail "no answer from $2 to $1"; }

expect_no_flow() { ! on client ping -q -n -c 1 -W 0.5 "$LAN_V4" >/dev/null || fail "$LAN_V4 answers, which it must not"; }

# One CHILD SA in transport mode, at both ends.
expect_transport() {
	local states
	expect_sas '.sas | length == 1 and (.[0].children | length == 1 and .[0].mode == "transport")' 'a CHILD SA in transport mode'
	states=$(on client ip xfrm state)
	[[ $states == *'mode transport'* && $states != *'mode tunnel'* ]] || fail "the client's states: $states"
}
# Packets went through it, both ways.
expect_esp() { expect_sas '.sas[0].children[0] | .packets_in > 0 and .packets_out > 0' 'packets both ways'; }

# Some 200 packets a second from now to expect_no_loss, each way. traffic_start ADDRESS: from the client to there only.
traffic_start() {
	rig_start traffic-client client ping -n -i 0.005 -W 1 "${1:-$LAN_V4}"
	(($# == 0)) || return 0
	rig_start traffic-lan lan ping -n -i 0.005 -W 1 "$(client_inner v4)"
	wait_for 5 'traffic' grep -q 'icmp_seq=' "$RIG/log/traffic-client" "$RIG/log/traffic-lan"
}

# expect_no_loss [N]: but for N packets of each side, which kernel-libipsec may lose; the kernel loses none.
expect_no_loss() {
	local side spare=${1:-0}
	[[ $CHARON_ESP != kernel ]] || spare=0
	for side in client lan; do
		[[ -e $RIG/pid/traffic-$side ]] || continue
		rig_stop "traffic-$side" INT || true
		# One packet may be on its way when ping is interrupted.
		awk -v spare="$((spare + 1))" '/packets transmitted/ { seen = 1; lost = $1 - $4 } END { exit !(seen && lost <= spare) }' \
			"$RIG/log/traffic-$side" ||
			fail "packets from $side got lost: $(grep 'packets transmitted' "$RIG/log/traffic-$side")"
	done
}

# expect_log gateway|client REGEX: a line of that side's log matches (waits up to 5 s).
expect_log() { wait_for 5 "a line like /$2/ in the log of the $1" log_has "$1" "$2" || fail "the log of the $1 has no /$2/"; }
expect_no_log() { ! log_has "$1" "$2" || fail "the log of the $1 has /$2/: $("$1_log" | grep -E -m 1 -- "$2")"; }
# Exactly one line, which matches.
expect_one_log() {
	expect_log "$1" "$2"
	(($(log_count "$1" "$2") == 1)) || fail "the log of the $1 has $(log_count "$1" "$2") lines like /$2/, not one"
}
log_has() { "$1_log" | grep -E -q -- "$2"; }
log_count() { "$1_log" | grep -E -c -- "$2" || true; }

# expect_eventually SECONDS WHAT COMMAND...
expect_eventually() { wait_for "$@" || fail "$2: did not happen"; }

# expect_sas FILTER WHAT: the jq filter is true of `gatewayctl list-sas --json` (waits up to 5 s). Only of our daemon.
expect_sas() {
	[[ $GATEWAY == gatewayd ]] || return 0
	wait_for 5 "$2" sas_are "$1" || fail "list-sas does not say: $2: $(gateway_ctl list-sas --json | jq -c .)"
}
sas_are() { gateway_ctl list-sas --json | jq -e "$1" >/dev/null; }

# How many SAs the client has.
expect_client() { wait_for 5 "$2 $1 SAs at the client" client_has "$1" "$2" || fail "the client has $(client_count "$1") $1 SAs, not $2"; }
client_has() { (($(client_count "$1") == $2)); }
