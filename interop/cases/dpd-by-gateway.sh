#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The gateway asks a silent client for signs of life; while it answers the SA stands, when it is dead the SA goes.'

gateway_start dpd=1s
client_start
client_configure
expect_up
expect_log client 'parsed INFORMATIONAL request [0-9]+ \[ '
expect_sas '.sas | length == 1' 'the SA of a living client stands'
expect_flow v4
client_crash
gone() { sas_are '.sas | length == 0'; }
[[ $GATEWAY == charon ]] || expect_eventually 15 'the SA of a dead client to go' gone
