#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A client connects by IPv4 with a PSK, gets an inner address, and reaches the host behind the gateway.'

gateway_start
client_start
client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and (.[0] | .state == "ESTABLISHED" and .identity == "client@example.org"
	and .remote == {addr: "192.0.2.10", port: 4500} and .inner == ["10.10.0.1"] and (.children | length == 1))' 'one client at 192.0.2.10'
# The pool's DNS server was told.
expect_log client 'CPRP\(ADDR.* DNS'
