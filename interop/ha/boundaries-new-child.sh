#!/usr/bin/env bash
# seconds 120
. "$(dirname "$0")/../pair.sh"
story 'The active node is killed at each boundary of its answer to CREATE_CHILD_SA, by which the client makes one more CHILD SA.'

boundaries_start CREATE_CHILD_SA
client_start
client_configure
expect_up
count=1
more() {
	count=$((count + 1))
	client_up && client_has child "$count"
}
boundaries CREATE_CHILD_SA more
