#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed at each boundary of its answer to CREATE_CHILD_SA, by which the client makes a CHILD SA in an IKE SA that has none any more.'

boundaries_start CREATE_CHILD_SA
client_start
client_configure
expect_up
more() {
	client_down_child || true
	wait_for 5 'no CHILD SA at the client' client_has child 0 || return 1
	client_up && wait_for 5 'a CHILD SA at the client' client_has child 1
}
boundaries CREATE_CHILD_SA more
