#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'After so many packets the gateway rekeys, whatever the time.'

gateway_start dpd=3s child_more='rekey_packets: 100'
client_start
client_configure
expect_up
before=$(client_spi in)
new_spi() { [[ $(client_spi in) != "$before" ]]; }
on client ping -q -n -c 150 -i 0.005 -W 1 "$LAN_V4" >/dev/null || fail 'no traffic'
expect_eventually 10 'a new SPI at the client' new_spi
expect_log gateway 'it has carried so many packets'
expect_client child 1
expect_flow v4
