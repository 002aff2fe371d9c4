#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The identity has an IKE SA, and the gateway keeps it: a second device with that identity is refused.'

gateway_start conn_more='unique: keep'
client_start
client_configure
expect_up
ike=$(client_spi ike)
client_configure more='unique = never'
charon_ctl client --initiate --child lan --timeout 5 >/dev/null 2>&1 || true
CLIENT_AT=client
expect_sas '.sas | length == 1' 'one IKE SA'
[[ $(client_spi ike) == "$ike" ]] || fail 'the first IKE SA was not kept'
expect_flow v4
