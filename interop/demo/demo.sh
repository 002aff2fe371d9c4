#!/usr/bin/env bash
# `make demo`: the main job, live, on this machine. A real strongSwan client connects through gatewayd to a host behind
# it, and a capture proves that only IKE and ESP were on the road.
#
#   client  ────────  router ("the Internet")  ────────  gateway  ────────  lan
#   strongSwan        tcpdump on its outer link          gatewayd           a web server
#   192.0.2.10                                           198.51.100.2       10.1.0.10, fd01::10
#
# KEEP=1 leaves it running and says how to play with it. GATEWAY_BUILD: build/release. DATAPLANE: userspace, or kernel,
# which needs a kernel with ESP and shows its SAs (`make demo DATAPLANE=kernel`: in tests/uml). Writes
# build/demo/summary.json.

set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/rig.sh"
. "$TOP/tests/rig/charon.sh"
. "$TOP/tests/rig/gatewayd.sh"
. "$TOP/interop/strongswan/client.sh"
GATEWAY_BUILD=${GATEWAY_BUILD:-$TOP/build/release}
OUT=$TOP/build/demo
DATAPLANE=${DATAPLANE:-userspace}
LIMIT=60
if [[ $DATAPLANE == kernel ]]; then
	CHARON_ESP=kernel LIMIT=120 # the guest is slower
fi
RESULTS=()
FAILED=0

step() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
[[ -t 1 ]] || step() { printf '\n==> %s\n' "$*"; }

# result MEASURE VALUE UNIT [GOAL MET]: a line of the summary. GOAL as text ("<= 0"), MET true or false.
result() {
	RESULTS+=("$(jq -cn --arg measure "$1" --argjson value "$2" --arg unit "$3" --arg goal "${4:-}" --argjson met "${5:-null}" \
		'{measure: $measure, value: $value, unit: $unit} + if $goal == "" then {} else {goal: $goal, met: $met} end')")
	[[ ${5:-true} == true ]] || FAILED=$((FAILED + 1))
}

# goal VALUE COMPARISON: true or false, for result.
goal() { jq -n "$1 $2"; }

begin=$(now_ms)
rig_require jq tcpdump curl python3 swanctl unshare
[[ -x /usr/lib/ipsec/charon ]] || die "strongSwan's charon is not installed: run 'make deps'"
mkdir -p "$OUT"
rm -f "$OUT"/*
rig_begin demo

# What a failed demo leaves behind.
rig_at_exit() {
	if (($1 != 0)); then
		cp "$RIG/log/gatewayd-gateway" "$OUT/gatewayd.log" 2>/dev/null
		cp "$RIG/client/run/charon.log" "$OUT/client.log" 2>/dev/null
		warn "the demo FAILED; what it left behind: build/demo/"
	fi
}

step 'three machines and the Internet between them, as network namespaces'
rig_topology routed
say '    client 192.0.2.10 ── router ── 198.51.100.2 gateway 10.1.0.1 ── 10.1.0.10 lan (and the same in IPv6)'

# The page holds a word that nobody else knows, so that it can be looked for on the wire.
word=page-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
mkdir -p "$RIG/www"
{
	printf '<!doctype html><title>lan</title><h1>Hello from the host behind the gateway</h1><p>%s</p>\n' "$word"
	for _ in {1..2000}; do printf '<p>%s</p>\n' "$word"; done
} >"$RIG/www/index.html"
head -c 16777216 /dev/zero >"$RIG/www/16MiB"
rig_start web lan python3 "$TOP/tests/rig/web.py" "$RIG/www"
wait_for 10 'the web server' on lan curl -sf -o /dev/null "http://$LAN_V4/"

step 'gatewayd starts'
gatewayd_secret gateway psk "$(od -An -N16 -tx8 /dev/urandom | tr -d ' ')"
demo_config() {
	cat <<-EOT
		control: {socket: $RIG/gateway/control.sock}
		state_dir: $RIG/gateway/state
		dataplane: $DATAPLANE
		pools:
		  clients: {addresses: 10.10.0.0/24, dns: [10.1.0.1]}
		  clients6: {addresses: fd10::/64}
		connections:
		  road:
		    local: {id: gw.example.org}
		    psk: {file: $RIG/gateway/psk}
		    pools: [clients, clients6]
		    children:
		      lan: {local: [10.1.0.0/24, "fd01::/64"]}
	EOT
}
demo_config | sed 's/^/    /'
started=$(now_ms)
demo_config | gatewayd_start gateway || die 'gatewayd did not start'
result 'gatewayd start' $(($(now_ms) - started)) ms

# capture NAME NAMESPACE INTERFACE. Outside at the router: at the gateway a kernel that decrypts shows the inner packets
# as well, on the device that their ESP came in by.
capture() {
	rig_start "tcpdump-$1" "$2" tcpdump -n -U -B 65536 -i "$3" -w "$RIG/$1.pcap"
	wait_for 10 'tcpdump' grep -q 'listening on' "$RIG/log/tcpdump-$1"
}
capture outside router out
capture inside gateway lan

step "a real client: $(client_name)"
client_start
STORY_PSK=$(cat "$RIG/gateway/psk")
client_configure esp_proposals=aes128gcm16
! on client ping -q -n -c 1 -W 0.3 "$LAN_V4" >/dev/null || die "the client reaches $LAN_V4 without a tunnel"
say "    without a tunnel $LAN_V4 does not answer"
started=$(now_ms)
client_up || die "the client could not connect: $(tail -n 3 "$RIG/log/up-client" | tr '\n' ' ')"
connect_ms=$(($(now_ms) - started))
result 'connect' "$connect_ms" ms
say "    connected in $connect_ms ms; inner addresses $(client_inner v4) and $(client_inner v6)"

step 'gatewayctl list-sas'
gatewayd_ctl gateway list-sas
sas=$(gatewayd_ctl gateway list-sas --json)
count=$(jq '.sas | length' <<<"$sas")
result 'SAs in list-sas --json' "$count" SAs '== 1' "$(goal "$count" '== 1')"

step 'the client pings the host behind the gateway, and is pinged by it'
# demo_ping NAMESPACE ADDRESS WHAT
demo_ping() {
	local text lost
	text=$(on "$1" ping -q -n -c 10 -i 0.05 -W 1 "$2" || true)
	lost=$(awk '/packets transmitted/ { print $1 - $4 }' <<<"$text")
	result "$3: lost of 10 pings" "${lost:-10}" packets '== 0' "$(goal "${lost:-10}" '== 0')"
	printf '    %-26s %s\n' "$3" "$(tail -n 1 <<<"$text")"
}
demo_ping client "$LAN_V4" 'client to lan, IPv4'
demo_ping client "$LAN_V6" 'client to lan, IPv6'
demo_ping lan "$(client_inner v4)" 'lan to client, IPv4'
demo_ping lan "$(client_inner v6)" 'lan to client, IPv6'

step 'the client fetches a page from the host behind the gateway'
for address in "$LAN_V4" "[$LAN_V6]"; do
	on client curl -sf -m 10 -o "$RIG/page" "http://$address/" || true
	if cmp -s "$RIG/page" "$RIG/www/index.html"; then same=true; else same=false; fi
	result "page from $address" "$(stat -c %s "$RIG/page" 2>/dev/null || echo 0)" bytes 'as served' "$same"
	say "    http://$address/: $(stat -c %s "$RIG/page" 2>/dev/null || echo 0) bytes, as served: $same"
done
speed=$(on client curl -sf -m 20 -o "$RIG/blob" -w '%{speed_download}' "http://$LAN_V4/16MiB" || true)
mbit=$((${speed%.*} * 8 / 1000000))
if cmp -s "$RIG/blob" "$RIG/www/16MiB"; then same=true; else same=false; fi
result '16 MiB download' "$mbit" Mbit/s 'as served' "$same"
say "    16 MiB at $mbit Mbit/s, as served: $same"

if [[ $DATAPLANE == kernel ]]; then
	step 'the SAs are the kernel'"'"'s: ip -s xfrm state (keys left out)'
	on gateway ip -s xfrm state | sed -E 's/0x[0-9a-f]{32,}/(key)/; s/^/    /'
	carried=$(on gateway ip -s xfrm state | awk '/^\t *[0-9]+\(bytes\), [0-9]+\(packets\)/ { gsub(/[^0-9 ]/, " "); n += $2 } END { print n + 0 }')
	result 'packets carried by the kernel' "$carried" packets '>= 100' "$(goal "$carried" '>= 100')"
fi

step 'what was on the road, by the capture at the router'
sleep 0.2
rig_stop tcpdump-outside INT || true
rig_stop tcpdump-inside INT || true
# packets FILE FILTER: how many.
packets() { tcpdump -n -r "$RIG/$1.pcap" "$2" 2>/dev/null | wc -l; }
esp=$(packets outside 'udp port 4500 or proto 50 or ip6 proto 50')
ike=$(packets outside 'udp port 500')
# Neighbour discovery is no traffic of the tunnel's.
other=$(packets outside 'not (udp port 500 or udp port 4500 or proto 50 or ip6 proto 50 or arp or
	(icmp6 and (ip6[40] >= 130 and ip6[40] <= 137)) or (ip6 proto 0 and ip6[48] == 143))')
missed=$(sed -n 's/^\([0-9]*\) packets* dropped by kernel$/\1/p' "$RIG/log/tcpdump-outside")
outside_words=$(grep -a -c -- "$word" "$RIG/outside.pcap" || true)
inside_words=$(grep -a -c -- "$word" "$RIG/inside.pcap" || true)
printf '    %-46s %s\n' 'packets on port 4500 (IKE, ESP) or protocol 50' "$esp" 'packets on port 500 (IKE)' "$ike" \
	'any other packet' "$other" 'packets that the capture missed' "${missed:-?}" 'the page in clear, on the road' "$outside_words" 'the page in clear, in the LAN' "$inside_words"
result 'ESP and IKE packets on the road' $((esp + ike)) packets '>= 100' "$(goal $((esp + ike)) '>= 100')"
result 'other packets on the road' "$other" packets '== 0' "$(goal "$other" '== 0')"
result 'packets that the capture missed' "${missed:-null}" packets '== 0' "$(goal "${missed:-null}" '== 0')"
result 'page in clear on the road' "$outside_words" times '== 0' "$(goal "$outside_words" '== 0')"
result 'page in clear in the LAN (so the search works)' "$inside_words" times '>= 1' "$(goal "$inside_words" '>= 1')"
if ((other > 0)); then
	cp "$RIG/outside.pcap" "$OUT/"
fi

finish() {
	result 'seconds in all' "$(jq -n "$(($(now_ms) - begin)) / 1000")" s "<= $LIMIT" "$(goal $(($(now_ms) - begin)) "<= ${LIMIT}000")"
	printf '%s\n' "${RESULTS[@]}" | jq -s --arg client "$(client_name)" --arg plane "$DATAPLANE" '{name: "demo", client: $client, plane: $plane,
		passed: (map(select(.met == false)) | length == 0), results: .}' >"$OUT/summary.json"
	step 'summary (build/demo/summary.json)'
	jq -r '.results[] | "    \(if .met == false then "FAILED" else "ok    " end)  \(.measure): \(.value) \(.unit)"' "$OUT/summary.json"
}

if [[ -n ${KEEP:-} && ${KEEP:-} != 0 ]]; then
	finish
	trap - EXIT INT TERM HUP
	step 'left running; to play with it'
	ctl="$GATEWAY_BUILD/gatewayctl --socket $RIG/gateway/control.sock"
	cat <<-EOT
		    $ctl list-sas
		    $ctl stats
		    ip netns exec $RIG_ID-client ping $LAN_V4
		    ip netns exec $RIG_ID-client curl http://$LAN_V4/ | head -c 100
		    ip netns exec $RIG_ID-router tcpdump -n -i out
		    SWANCTL_DIR=$RIG/client/swanctl swanctl --terminate --ike road --uri unix://$RIG/client/run/charon.vici
		    SWANCTL_DIR=$RIG/client/swanctl swanctl --initiate --child lan --uri unix://$RIG/client/run/charon.vici
		    less $RIG/log/gatewayd-gateway $RIG/client/run/charon.log

		and to end it:
		    $TOP/tests/rig/rig.sh stop $RIG
	EOT
	exit "$((FAILED > 0))"
fi

step 'the client says goodbye, gatewayd stops'
client_down || true
left=$(gatewayd_ctl gateway list-sas --json | jq '.sas | length')
result 'SAs after the goodbye' "$left" SAs '== 0' "$(goal "$left" '== 0')"
client_stop
if gatewayd_stop gateway; then ended=true; else ended=false; fi
result 'gatewayd ended in order' "$([[ $ended == true ]] && echo 1 || echo 0)" times '== 1' "$ended"
finish
if ((FAILED > 0)); then
	warn "the demo FAILED: $FAILED of the above"
	exit 1
fi
say
say 'The demo succeeded: the tunnel carried everything, and nothing else was on the road.'
