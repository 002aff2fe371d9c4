#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'A client with the proposals of a default Windows gets in with compat: windows-legacy, and not without.'

gateway_start
client_start
client_configure proposals=aes256-sha256-modp1024 esp_proposals=aes256-sha1 vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_refused
expect_log gateway 'refused: no common IKE proposal: no common [a-z ]*: offered .*all that is offered: .*modp1024; configured: '
sed -i 's/^    pools: \[clients, clients6\]/&\n    compat: windows-legacy/' "$RIG/gateway/gateway.yaml"
gateway_ctl reload >/dev/null
expect_log gateway 'warn .*windows-legacy allows modp1024 and SHA-1'
expect_up
expect_flow v4
