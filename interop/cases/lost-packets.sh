#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The road is cut while the gateway replaces the CHILD SA, and is mended: retransmission brings it through.'

gateway_start
client_start
client_configure
expect_up
before=$(client_spi in)
new_spi() { [[ $(client_spi in) != "$before" ]]; }
rig_cut
gateway_rekey child & # swanctl, where it plays the gateway, waits for the end
sleep 0.7
! new_spi || fail 'the road was not cut'
rig_mend
expect_eventually 5 'a new SPI at the client' new_spi
expect_client child 1
expect_flow v4 v6
