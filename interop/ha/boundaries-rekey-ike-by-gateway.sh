#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed at each boundary of its request of CREATE_CHILD_SA, by which it replaces the IKE SA.'

boundaries_start CREATE_CHILD_SA
client_start
client_configure
expect_up
renew() {
	local before
	before=$(client_spi ike)
	gateway_rekey ike 2>/dev/null || true
	# Before it was told to anybody it dies with the node.
	boundary_renewed ike "$before" 8 || [[ $BOUNDARY == before-replicate ]]
}
boundaries CREATE_CHILD_SA renew
