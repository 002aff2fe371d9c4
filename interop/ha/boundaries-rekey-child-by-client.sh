#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its answer to CREATE_CHILD_SA, by which the client replaces the CHILD SA.'

boundary_story REKEY_CHILD renew_by client child
