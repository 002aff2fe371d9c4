#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'The certificate of the gateway is renewed in its file: a reload swaps it without dropping anybody, and newcomers see the new one.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org eku=clientAuth
pki_gateway gw ca
client_start
pki_client alice ca vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
expect_flow v4
traffic_start
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
cat "$PKI/gw.pem" >"$RIG/gateway/gw.pem"
cat "$PKI/gw.key" >"$RIG/gateway/gw.key"
gateway_ctl reload --dry-run --json | jq -e '.changes == [{item: "certificates.gw", change: "changed", keys: "content", effect: "new-sas", sas: 0}] and .sas == 0' >/dev/null ||
	fail "dry run: $(gateway_ctl reload --dry-run --json)"
gateway_ctl reload >/dev/null
expect_flow v4
expect_no_loss 5
expect_sas '.sas | length == 1' 'nobody was dropped'
client_down
expect_up
expect_flow v4
