#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A client dies without a word and comes back: it gets its address again, and its old SA goes.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4 v6
address=$(client_inner v4)
client_crash
client_start
client_configure
expect_up
[[ $(client_inner v4) == "$address" ]] || fail "first $address, now $(client_inner v4)"
expect_sas '.sas | length == 1' 'only the new SA'
expect_flow v4 v6
