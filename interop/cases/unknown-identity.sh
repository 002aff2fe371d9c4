#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'An identity that no connection is for: AUTHENTICATION_FAILED, and a line that names it.'

gateway_start remote=known@example.org
client_start
client_configure id=stranger@example.org
expect_refused
expect_log client 'AUTHENTICATION_FAILED'
expect_log gateway 'stranger@example\.org'
expect_sas '.sas | length == 0' 'no SA'
