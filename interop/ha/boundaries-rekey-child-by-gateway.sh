#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed at each boundary of its request of CREATE_CHILD_SA, by which it replaces the CHILD SA.'

boundaries_start CREATE_CHILD_SA
client_start
client_configure
expect_up
renew() {
	local before
	before=$(client_spi in)
	gateway_rekey child 2>/dev/null || true
	# Before it was told to anybody it dies with the node.
	boundary_renewed in "$before" 8 || [[ $BOUNDARY == before-replicate ]]
}
boundaries CREATE_CHILD_SA renew
