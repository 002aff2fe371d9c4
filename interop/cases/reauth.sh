#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The gateway says how long an authentication is good for (RFC 4478); the client authenticates anew before it breaks the old SA.'

gateway_start conn_more='reauth: 1m'
client_start 'make_before_break = yes'
# Its margins are a tenth of rekey_time unless told: with more than AUTH_LIFETIME it would authenticate without end.
client_configure more=$'reauth_time = 12s\n    over_time = 2s\n    rand_time = 1s'
expect_up
ike=$(client_spi ike) inner=$(client_inner v4)
anew() { [[ -n $(client_spi ike) && $(client_spi ike) != "$ike" ]]; }
expect_eventually 25 'a new IKE SA' anew
expect_sas '.sas | length == 1' 'the old IKE SA goes'
[[ $(client_inner v4) == "$inner" ]] || fail "another inner address: $(client_inner v4), not $inner"
expect_flow v4 v6
