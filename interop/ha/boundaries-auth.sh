#!/usr/bin/env bash
# quick
# seconds 120
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../boundaries.sh"
story 'The active node is killed at each boundary of its answer to IKE_AUTH: the client gets its tunnel at the first try, and only one.'

boundaries_pair IKE_AUTH
client_start
boundaries IKE_AUTH connect
