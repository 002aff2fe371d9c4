#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'gatewayd is killed and started again: nothing of its predecessor is in the way, and the client gets in again.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4 v6
address=$(client_inner v4)
gateway_kill
gateway_start
left=$(on gateway ip xfrm state && on gateway ip xfrm policy | grep -B 1 -A 3 'tmpl') || true
[[ -z $left ]] || fail "SAs that nobody knows are still in the kernel: $left"
[[ $GATEWAY_PLANE != kernel ]] || expect_log gateway 'states and policies of an earlier run are removed'
client_crash
client_start
client_configure
expect_up
[[ $(client_inner v4) == "$address" ]] || fail "first $address, now $(client_inner v4)"
expect_sas '.sas | length == 1' 'only the new SA'
expect_flow v4 v6
