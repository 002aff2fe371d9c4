#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../pair.sh"
story 'A node without a standby is killed: it is started again, says that its tunnels are lost, leaves nothing in the kernel, and serves clients who come anew.'

node_start a
expect_role a active
client_start
client_configure
expect_up
expect_flow v4
node_kill a
expect_role a active
# Nothing of before.
[[ $(on a ip xfrm state | grep -c '^src') == 0 ]] || fail "SAs that nobody knows are still there: $(on a ip xfrm state)"
client_crash
client_start
client_configure
expect_up
expect_flow v4 v6
