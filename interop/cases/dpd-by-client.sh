#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'The client asks for signs of life each second, and is answered.'

gateway_start
client_start
client_configure dpd=1s
expect_up
expect_log client 'sending DPD request'
expect_log client 'parsed INFORMATIONAL response [0-9]+ \[ '
expect_client ike 1
expect_sas '.sas | length == 1' 'the SA stands'
expect_flow v4
