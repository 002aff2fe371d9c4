#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its request of CREATE_CHILD_SA, by which it replaces the IKE SA.'

boundary_story REKEY_IKE renew_by gateway ike
