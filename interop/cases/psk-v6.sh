#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'The same over an IPv6 Internet; inside is IPv4 and IPv6.'

gateway_start
client_start
client_configure gateway="$GATEWAY_V6"
expect_up
expect_flow v4 v6
expect_sas '.sas | length == 1 and .[0].remote == {addr: "2001:db8:1::10", port: 4500}' 'one client at 2001:db8:1::10'
