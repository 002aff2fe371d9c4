#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'The client moves to another address in the middle of traffic and says so (MOBIKE): the tunnel goes along.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4
before=$(client_spi ike)
on client sysctl -q -w net.ipv4.conf.out.promote_secondaries=1
on client ip addr add 192.0.2.77/24 dev out
on client ip addr del 192.0.2.10/24 dev out
on client ip route replace default via 192.0.2.1
expect_sas '.sas[0].remote.addr == "192.0.2.77"' 'the client at its new address'
expect_flow v4 v6
[[ $(client_spi ike) == "$before" ]] || fail 'it connected anew instead of moving'
expect_log gateway 'peer moved from 192.0.2.10:[0-9]+ to 192.0.2.77'
client_rekey child
expect_client child 1
gateway_rekey child
expect_flow v4
