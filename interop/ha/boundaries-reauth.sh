#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its answer to the IKE_AUTH of a client that authenticates anew before it breaks its old SA: one tunnel is left, with the same inner address.'

boundaries_pair IKE_AUTH
client_start 'make_before_break = yes'
# The first time there is nothing to replace.
anew() {
	local ike inner
	if client_has ike 0; then
		client_configure
		client_up || return 1
		return
	fi
	ike=$(client_spi ike) inner=$(client_inner v4)
	charon_ctl "$CLIENT_AT" --rekey --ike road --reauth >"$RIG/log/rekey" 2>&1 || true
	wait_for 15 'a new IKE SA' boundary_renewed ike "$ike" || return 1
	wait_for 10 'one IKE SA' client_has ike 1 || return 1
	[[ $(client_inner v4) == "$inner" ]]
}
boundaries IKE_AUTH anew
