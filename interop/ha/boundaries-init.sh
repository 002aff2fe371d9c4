#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its answer to IKE_SA_INIT: the client gets its tunnel at the first try, and only one.'

boundaries_pair IKE_SA_INIT
client_start
boundaries IKE_SA_INIT connect
