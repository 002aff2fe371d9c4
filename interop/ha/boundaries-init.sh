#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed at each boundary of its answer to IKE_SA_INIT: the client gets its tunnel at the first try, and only one.'

boundaries_start IKE_SA_INIT
client_start
connect() {
	[[ $(client_count ike) == 0 ]] || client_down
	client_configure
	client_up && client_has child 1
}
boundaries IKE_SA_INIT connect
