#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its answer to CREATE_CHILD_SA, by which the client makes a CHILD SA in an IKE SA that has none any more.'

more() {
	client_down_child || true
	wait_for 5 'no CHILD SA at the client' client_has child 0 || return 1
	client_up && wait_for 5 'a CHILD SA at the client' client_has child 1
}
boundary_story NEW_CHILD more
