#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Identities keep their addresses: one that left and returns after another came gets its own again.'

gateway_start
client_start
client_configure id=anna@example.org
expect_up
anna=$(client_inner v4)
client_down
client_configure id=bert@example.org
expect_up
bert=$(client_inner v4)
[[ $bert != "$anna" ]] || fail "bert got anna's address $anna"
client_down
client_configure id=anna@example.org
expect_up
[[ $(client_inner v4) == "$anna" ]] || fail "anna had $anna, now $(client_inner v4)"
expect_flow v4 v6
