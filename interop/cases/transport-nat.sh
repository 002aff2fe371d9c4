#!/usr/bin/env bash
# needs esp
# needs kernel
# needs iptables
. "$(dirname "$0")/../lib.sh"
story 'Transport mode through a NAT (RFC 7296 2.23.1): each side knows other addresses; TCP works both ways, keys are replaced by both sides, and the NAT may take another port.'

rig_nat 20000
# `any`: as the client asks.
gateway_start networks="$GATEWAY_V4, '$GATEWAY_V6'" child_more='mode: any'
client_start
client_configure vips='' remote_ts=dynamic child_more='mode = transport'
expect_up
expect_transport
expect_sas '.sas[0].nat.peer and .sas[0].remote.addr == "198.51.100.1" and .sas[0].children[0].udp_encap' 'a client behind a NAT'
expect_ping client "$GATEWAY_V4"
expect_esp
# The sums of TCP were made over addresses that the NAT has changed since (RFC 3948 3.1.2). Not http.server's own main:
# it asks DNS who it is.
mkdir "$RIG/web"
head -c 100000 /dev/urandom >"$RIG/web/page"
rig_start web gateway python3 -c '
import functools, http.server, socketserver, sys
serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[2])
socketserver.TCPServer((sys.argv[1], 8080), serve).serve_forever()' "$GATEWAY_V4" "$RIG/web"
fetch() { on client curl -sf -m 5 "http://$GATEWAY_V4:8080/page" | cmp -s - "$RIG/web/page"; }
expect_eventually 5 'a page from the gateway' fetch
client_rekey child
gateway_rekey child
client_rekey ike
expect_client child 1
fetch || fail 'no page after new keys'
rig_nat 30000
expect_ping client "$GATEWAY_V4"
expect_sas '.sas[0].remote == {addr: "198.51.100.1", port: 30001}' 'the client at its new port'
fetch || fail 'no page after the NAT took another port'
expect_transport
gateway_rekey child
expect_client child 1
fetch || fail 'no page after new keys at the new port'
client_down

# The same connection gives a tunnel to who wants one; not to the address that the client had before the NAT, which is
# anybody's.
client_configure remote_ts=dynamic
expect_up
expect_sas '.sas[0].children | length == 1 and .[0].mode == "tunnel"' 'a CHILD SA in tunnel mode'
client_down
client_configure vips='' remote_ts=dynamic
! client_up || expect_client child 0
expect_log gateway 'no common traffic selectors; asked for 192.0.2.10 '
