#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'Each session leaves one record with its traffic and its reason, over rekeys of both kinds; a watcher sees it come, rekey and go.'

watched() { jq -s -e "map(.event) | $1" "$RIG/log/monitor" >/dev/null; }
gateway_start top="sessions: {file: $RIG/gateway/sessions.json}"
rig_start monitor gateway "$GATEWAY_BUILD/gatewayctl" --socket "$RIG/gateway/control.sock" monitor
client_start
client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24
sleep 0.3
expect_up
on client ping -q -n -c 20 -i 0.02 -W 2 "$LAN_V4" >/dev/null
gateway_rekey child
expect_eventually 5 'a rekey of the CHILD SA' watched 'index("child-rekey") != null'
gateway_rekey ike
expect_log gateway 'IKE SA rekeyed: #'
on client ping -q -n -c 20 -i 0.02 -W 2 "$LAN_V4" >/dev/null
client_down
expect_eventually 5 'a session record' test -s "$RIG/gateway/sessions.json"
jq -e 'select(.user == "client@example.org" and .conn == "road" and .inner == ["10.10.0.1"] and .reason == "deleted by the peer"
	and (.remote | startswith("192.0.2.10:")) and .packets_in >= 40 and .packets_out >= 40 and .bytes_in >= 40 * 84 and .failovers == 0)' \
	"$RIG/gateway/sessions.json" >/dev/null || fail "the record: $(cat "$RIG/gateway/sessions.json")"
(($(wc -l <"$RIG/gateway/sessions.json") == 1)) || fail "not one record: $(cat "$RIG/gateway/sessions.json")"
expect_eventually 5 'all events' watched 'index("up") != null and index("child-rekey") != null and index("rekey") != null and index("down") != null'
# Somebody who is refused is an event, too.
client_configure psk=wrong-battery-horse-staple
expect_refused
expect_eventually 5 'a refusal' watched 'index("refused") != null'
rig_stop monitor INT || true
