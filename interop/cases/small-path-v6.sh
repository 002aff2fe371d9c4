#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'By IPv6, and somewhere on the road the MTU is only 1300: TCP finds its way all the same, with path MTU discovery.'

gateway_start
client_start
client_configure gateway="$GATEWAY_V6"
ip -n "$RIG_ID-router" link set in mtu 1300
head -c 2000000 /dev/urandom >"$RIG/file"
rig_start web lan python3 "$RIG_TOP/tests/rig/web.py" "$RIG"
wait_for 10 'the web server' on lan curl -sf -o /dev/null "http://$LAN_V4/file"
expect_up
on client curl -sf -m 20 -o "$RIG/fetched" "http://$LAN_V4/file" || fail 'the file did not come through'
cmp -s "$RIG/file" "$RIG/fetched" || fail 'the file is damaged'
