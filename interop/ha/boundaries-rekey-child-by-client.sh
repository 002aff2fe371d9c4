#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed at each boundary of its answer to CREATE_CHILD_SA, by which the client replaces the CHILD SA.'

boundaries_start CREATE_CHILD_SA
client_start
client_configure
expect_up
renew() {
	local before
	before=$(client_spi in)
	client_rekey child || true
	boundary_renewed in "$before" && wait_for 5 "one child SA at the client" client_has child 1
}
boundaries CREATE_CHILD_SA renew
