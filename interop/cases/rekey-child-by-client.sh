#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The client replaces the CHILD SA, with a fresh key exchange (PFS), while traffic flows; not a packet is lost.'

gateway_start esp_proposals=aes256gcm16-x25519
client_start
client_configure esp_proposals=aes256gcm16-x25519
expect_up
before=$(client_spi out)
traffic_start
client_rekey child
expect_client child 1
# kernel-libipsec itself loses one here and there while it replaces an SA: seen with charon at both ends, too.
expect_no_loss 3
[[ $(client_spi out) != "$before" ]] || fail 'the client still sends with the old SPI'
expect_sas '.sas | length == 1 and (.[0].children | length == 1)' 'one CHILD SA again'
expect_sas ".sas[0].children[0].spi_in == \"$(client_spi out)\"" 'the SPI that the client sends with'
expect_flow v4 v6
