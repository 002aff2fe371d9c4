#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The client asks for a network that is not offered: TS_UNACCEPTABLE, and a line that says what was asked.'

gateway_start
client_start
client_configure remote_ts=172.16.0.0/16
expect_refused
expect_log client 'TS_UNACCEPTABLE'
[[ $GATEWAY == charon ]] || expect_one_log gateway 'client@example\.org.*172\.16\.0\.0/16.*10\.1\.0\.0/24'
