#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'The gateway replaces the CHILD SA while traffic flows; not a packet is lost.'

gateway_start
client_start
client_configure
expect_up
before=$(client_spi in)
new_spi() { [[ $(client_spi in) != "$before" ]]; }
traffic_start
gateway_rekey child
expect_eventually 5 'a new SPI at the client' new_spi
expect_client child 1
# kernel-libipsec itself loses one here and there while it replaces an SA: seen with charon at both ends, too.
expect_no_loss 3
expect_sas '.sas | length == 1 and (.[0].children | length == 1)' 'one CHILD SA again'
expect_sas ".sas[0].children[0].spi_out == \"$(client_spi in)\"" 'the SPI that the client expects'
expect_flow v4 v6
