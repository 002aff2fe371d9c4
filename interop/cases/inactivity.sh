#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A tunnel without traffic is closed, and the client is told.'

gateway_start child_more='inactivity: 3s'
client_start
client_configure
expect_up
expect_flow v4
gone() { (($(client_count ike) == 0)); }
expect_eventually 15 'the end of the IKE SA' gone
expect_log gateway 'no packet for too long'
expect_sas '.sas | length == 0' 'no IKE SA'
