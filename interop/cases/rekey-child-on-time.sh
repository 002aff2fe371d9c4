#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'CHILD SAs with a life of seconds are replaced by the gateway on time, again and again, while traffic flows.'

gateway_start child_rekey=2s
client_start
client_configure
expect_up
spis=()
new_spi() { [[ -n $(client_spi in) && $(client_spi in) != "${spis[-1]:-}" ]]; }
traffic_start
for _ in 1 2 3; do
	spis+=("$(client_spi in)")
	expect_eventually 4 'the next SPI' new_spi
done
# kernel-libipsec itself loses one here and there while it replaces an SA: seen with charon at both ends, too.
expect_no_loss 3
expect_client ike 1
expect_flow v4 v6
