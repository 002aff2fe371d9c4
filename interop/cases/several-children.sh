#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Two CHILD SAs of one IKE SA, each with its own part of the network; both are rekeyed.'

gateway_start
client_start
client_configure remote_ts=10.1.0.0/24 vips=0.0.0.0 children_more='other { remote_ts = 10.1.0.1/32
	local_ts = dynamic }' 
expect_up
charon_ctl client --initiate --child other --timeout 10 >"$RIG/log/other" 2>&1 || fail 'no second CHILD SA'
expect_client child 2
expect_sas '.sas[0].children | length == 2' 'two CHILD SAs'
gateway_rekey child
expect_client child 2
expect_ping client "$LAN_V4"
