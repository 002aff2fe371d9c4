#!/usr/bin/env bash
# `make bench-esp`: what the userspace plane carries, beside strongSwan's kernel-libipsec in the same run.
#
#   client  ─────────────────────────  gateway  ─────────────  lan
#   198.51.100.10                      198.51.100.2            10.1.0.10, iperf3 -s
#   esp_client | charon                gatewayd | charon
#
# A tunnel has two ends, here on the same cores, and the slower one sets the pace. So each plane is measured with itself at
# both ends (`ours`, `peer`: the figures with a goal), and crosswise, where the client is the same for both gateways
# (`ours-charon`, `peer-esp_client`). CPU is that of the gateway's process alone. The pairs take turns, ROUNDS (3) times,
# SECONDS_EACH (4) a direction; medians count. AES-128-GCM, inner MTU 1400, one TCP stream. Writes build/bench/esp.json.

set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/rig.sh"
. "$TOP/tests/rig/charon.sh"
. "$TOP/tests/rig/gatewayd.sh"
# The gateways and the client of the interop stories; `ours` and `peer` differ in which is taken.
STORY_PSK=correct-horse-battery-staple
. "$TOP/interop/strongswan/client.sh"
GATEWAY_BUILD=${GATEWAY_BUILD:-$TOP/build/release}
ESP_CLIENT=$GATEWAY_BUILD/tests/rig/esp_client
ROUNDS=${ROUNDS:-3}
SECONDS_EACH=${SECONDS_EACH:-4}
OUT=$TOP/build/bench
read -ra pairs <<<"${PAIRS:-ours peer ours-charon peer-esp_client}"

gateway_up() {
	case $1 in
	ours*)
		. "$TOP/interop/gateway.sh"
		gateway_start esp_proposals=aes128gcm16 log_level=warn
		;;
	peer*)
		. "$TOP/interop/strongswan/gateway.sh"
		gateway_start esp_proposals=aes128gcm16
		;;
	esac
}

client_connect() {
	case $1 in
	ours | *-esp_client)
		gatewayd_secret client psk "$STORY_PSK"
		: >"$RIG/log/esp_client"
		rig_start esp_client client "$ESP_CLIENT" 198.51.100.10 "$GATEWAY_V4" client@example.org "$RIG/client/psk" 10.1.0.0/24
		wait_for 10 'esp_client' grep -q '^up ' "$RIG/log/esp_client" || die "$(tail -n 1 "$RIG/log/esp_client")"
		local device address
		read -r _ device address <"$RIG/log/esp_client"
		ip -n "$RIG_ID-client" addr add "$address/32" dev "$device"
		ip -n "$RIG_ID-client" route add 10.1.0.0/24 dev "$device" src "$address"
		;;
	peer | *-charon)
		client_start
		client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24 esp_proposals=aes128gcm16
		client_up || die "charon could not connect: $(tail -n 1 "$RIG/log/up")"
		;;
	esac
}

client_leave() {
	case $1 in
	ours | *-esp_client) rig_stop esp_client || true ;;
	peer | *-charon) client_stop ;;
	esac
}

# Clock ticks of CPU that the gateway's process has used.
gateway_ticks() {
	local stat
	stat=$(cat "/proc/$(rig_pid "$(gateway_process)")/stat")
	stat=${stat##*) }
	awk '{ print $12 + $13 }' <<<"$stat"
}

# measure PAIR DIRECTION: a line of build/bench/esp.runs: Gbit/s, and the gateway's CPU seconds per gigabyte.
measure() {
	local before after flags=()

	[[ $2 == up ]] || flags=(-R)
	before=$(gateway_ticks)
	on client timeout $((SECONDS_EACH + 15)) iperf3 -J -c "$LAN_V4" -t "$SECONDS_EACH" "${flags[@]}" >"$RIG/iperf.json" ||
		die "iperf3 failed ($1): $(jq -r '.error // "no reason given"' "$RIG/iperf.json")"
	after=$(gateway_ticks)
	jq -c --arg pair "$1" --arg direction "$2" --argjson ticks $((after - before)) --argjson hz "$(getconf CLK_TCK)" \
		'{pair: $pair, direction: $direction, gbits: (.end.sum_received.bits_per_second / 1e9),
		cpu: ($ticks / $hz / (.end.sum_received.bytes / 1e9))}' "$RIG/iperf.json" >>"$OUT/esp.runs"
	tail -n 1 "$OUT/esp.runs" | jq -r '"  \(.pair) \(.direction): \(.gbits * 1000 | round / 1000) Gbit/s, \(.cpu * 100 | round / 100) s/GB at the gateway"'
}

round_trip() {
	local rtt
	rtt=$(on client ping -q -n -c 200 -i 0.002 "$LAN_V4" | sed -n 's|^rtt [^=]*= [^/]*/\([^/]*\)/.*|\1|p')
	jq -cn --arg pair "$1" --argjson us "$(jq -n "$rtt * 1000")" '{pair: $pair, direction: "rtt", us: $us}' >>"$OUT/esp.runs"
}

rig_require jq iperf3 unshare swanctl
for program in "$GATEWAY_BUILD/gatewayd" "$ESP_CLIENT"; do
	[[ -x $program ]] || die "$program is missing: run 'make build'"
done
mkdir -p "$OUT"
: >"$OUT/esp.runs"
rig_begin bench
rig_topology direct
rig_start iperf lan iperf3 -s
wait_for 5 'iperf3' on client true

for ((round = 1; round <= ROUNDS; round++)); do
	for pair in "${pairs[@]}"; do
		say "round $round of $ROUNDS, $pair"
		gateway_up "$pair"
		client_connect "$pair"
		wait_for 5 'the tunnel' on client ping -q -n -c 1 -W 1 "$LAN_V4"
		round_trip "$pair"
		measure "$pair" up
		measure "$pair" down
		client_leave "$pair"
		gateway_stop
	done
done

jq -s --arg peer "strongSwan $(charon_version) kernel-libipsec" '
	def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
		else (.[length / 2 - 1] + .[length / 2]) / 2 end;
	def rounded: if . == null then null else . * 1000 | round / 1000 end;
	. as $runs
	| def of($pair; $direction; $key): [$runs[] | select(.pair == $pair and .direction == $direction) | .[$key]] | median | rounded;
	def row($measure; $unit; $ours; $theirs; $name): {measure: $measure, value: $ours, unit: $unit, peer: {name: $name, value: $theirs}};
	def with_goal($ratio): . + {goal: ">= \($ratio) x the peer"} + if .value == null or .peer.value == null then {met: null}
		else {met: (.value >= $ratio * .peer.value), ratio: (.value / .peer.value | rounded)} end
		| if .met == false then . + {why: "\(.ratio) x measured"} else . end;
	{name: "esp", plane: "userspace", results: ([
		(row("TCP 1 stream, client to LAN, each plane at both ends"; "Gbit/s"; of("ours"; "up"; "gbits"); of("peer"; "up"; "gbits"); $peer) | with_goal(1.8)),
		(row("TCP 1 stream, LAN to client, each plane at both ends"; "Gbit/s"; of("ours"; "down"; "gbits"); of("peer"; "down"; "gbits"); $peer) | with_goal(1.8)),
		row("gateway CPU, client to LAN"; "s/GB"; of("ours"; "up"; "cpu"); of("peer"; "up"; "cpu"); $peer),
		row("gateway CPU, LAN to client"; "s/GB"; of("ours"; "down"; "cpu"); of("peer"; "down"; "cpu"); $peer),
		row("TCP 1 stream, client to LAN, client kernel-libipsec"; "Gbit/s"; of("ours-charon"; "up"; "gbits"); of("peer"; "up"; "gbits"); $peer),
		row("TCP 1 stream, LAN to client, client kernel-libipsec"; "Gbit/s"; of("ours-charon"; "down"; "gbits"); of("peer"; "down"; "gbits"); $peer),
		row("TCP 1 stream, client to LAN, client esp_client"; "Gbit/s"; of("ours"; "up"; "gbits"); of("peer-esp_client"; "up"; "gbits"); $peer),
		row("TCP 1 stream, LAN to client, client esp_client"; "Gbit/s"; of("ours"; "down"; "gbits"); of("peer-esp_client"; "down"; "gbits"); $peer),
		row("round trip of a ping, each plane at both ends"; "us"; of("ours"; "rtt"; "us"); of("peer"; "rtt"; "us"); $peer)
	])}' "$OUT/esp.runs" >"$OUT/esp.json"
say
jq -r '.results[] | [(if .met == null then "-" elif .met then "met" else "NOT MET" end), .measure, "\(.value) \(.unit)", "peer \(.peer.value)", (.goal // "")] | join("   ")' "$OUT/esp.json"
say 'written: build/bench/esp.json'
