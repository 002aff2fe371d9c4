#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The client asks for everything and gets what is offered.'

gateway_start
client_start
client_configure remote_ts=0.0.0.0/0,::/0
expect_up
client_sa | grep -q '^remote-ts=' # the lines that follow are its elements
expect_log client 'TS 10\.10\.0\.1/32 fd10::1/128 === 10\.1\.0\.0/24 fd01::/64'
expect_flow v4 v6
