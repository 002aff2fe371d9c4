#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Large IKE_AUTH messages: both sides cut them into fragments (RFC 7383).'

# Sixteen networks make the answer large. (kernel-libipsec can only have those that it has an address in.)
networks='10.1.0.0/24, "fd01::/64"'
if [[ $GATEWAY == gatewayd ]]; then
	for i in {1..14}; do networks+=", \"fd01:0:0:$i::/64\""; done
fi
gateway_start fragment_size=576 networks="$networks"
client_start 'fragment_size = 300'
client_configure remote_ts=0.0.0.0/0,::/0
expect_up
expect_log client 'splitting IKE message \([0-9]+ bytes\) into [2-9] fragments'
[[ $GATEWAY == charon ]] || expect_log client 'received fragment #[12] of [2-9]'
expect_flow v4 v6
