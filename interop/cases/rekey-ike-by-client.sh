#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'The client replaces the IKE SA while traffic flows; the CHILD SA and the inner address move with it.'

gateway_start
client_start
client_configure
expect_up
before=$(client_spi ike) child=$(client_spi in)
traffic_start
client_rekey ike
expect_client ike 1
expect_no_loss
[[ $(client_spi ike) != "$before" ]] || fail 'the IKE SA is still the old one'
[[ $(client_spi in) == "$child" ]] || fail 'the CHILD SA did not move along'
expect_sas '.sas | length == 1 and (.[0] | .inner == ["10.10.0.1", "fd10::1"] and (.children | length == 1))' \
	'one IKE SA with the same inner addresses and CHILD SA'
expect_sas ".sas[0].ike.spi_r == \"$(client_spi ike)\"" 'the SPI that the client has'
# The new IKE SA works: it can replace its CHILD SA.
client_rekey child
expect_client child 1
expect_flow v4 v6
