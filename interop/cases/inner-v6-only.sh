#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A client that wants only an IPv6 inner address, over IPv4.'

gateway_start
client_start
client_configure vips=:: remote_ts=fd01::/64
expect_up
expect_flow v6
expect_sas '.sas[0].inner == ["fd10::1"]' 'an inner IPv6 address only'
