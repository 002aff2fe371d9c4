#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Inner addresses of both families in one CHILD SA; packets and bytes are counted.'

gateway_start
client_start
client_configure
expect_up
expect_flow v4 v6
expect_sas '.sas[0] | .inner == ["10.10.0.1", "fd10::1"] and (.children[0] | .packets_in >= 12 and .packets_out >= 12
	and .bytes_in >= 12 * 84 and .bytes_out >= 12 * 84)' 'both addresses, and at least the 12 packets each way'
