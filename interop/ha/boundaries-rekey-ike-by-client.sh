#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed at each boundary of its answer to CREATE_CHILD_SA, by which the client replaces the IKE SA.'

boundaries_start CREATE_CHILD_SA
client_start
client_configure
expect_up
renew() {
	local before
	before=$(client_spi ike)
	client_rekey ike || true
	boundary_renewed ike "$before" && wait_for 5 "one ike SA at the client" client_has ike 1
}
boundaries CREATE_CHILD_SA renew
