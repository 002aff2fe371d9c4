#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The gateway wants a key exchange of its own in each rekey: without one the client is refused, with one both sides rekey.'

gateway_start child_more='pfs: required'
client_start
client_configure esp_proposals=aes128gcm16-x25519
expect_up
before=$(client_spi in)
new_spi() { [[ $(client_spi in) != "$before" ]]; }
gateway_rekey child
expect_eventually 5 'a new SPI by the gateway' new_spi
before=$(client_spi in)
client_rekey child
expect_eventually 5 'a new SPI by the client' new_spi
expect_log client 'CURVE_25519'
expect_flow v4
