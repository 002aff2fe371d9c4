#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its answer to INFORMATIONAL, by which the client deletes a CHILD SA; it makes a new one.'

delete() {
	client_down_child || return 1
	wait_for 5 'no CHILD SA at the client' client_has child 0 || return 1
	client_up
}
boundary_story INFORMATIONAL delete
