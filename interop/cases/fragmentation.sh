#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Both sides cut IKE_AUTH into fragments (RFC 7383) of at most 300 bytes.'

gateway_start fragment_size=300
client_start 'fragment_size = 300'
client_configure
expect_up
expect_log client 'splitting IKE message \([0-9]+ bytes\) into [2-9] fragments'
expect_log client 'received fragment #[12] of [2-9]'
expect_flow v4 v6
