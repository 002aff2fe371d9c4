#!/usr/bin/env bash
. "$(dirname "$0")/../pair.sh"
story 'strongSwan ha/active-passive with its other key exchange, retold: x25519 for one of them, modp4096 for the other, for the CHILD SA, too; after the takeover both rekey.'

pair_second_client
export PAIR_CONN='proposals: [aes128-sha256-x25519-modp4096]'
export PAIR_CHILD='proposals: [aes128gcm16-x25519-modp4096-noesn]'
pair_start
first=$(active)
client_start
client_configure id=carol@strongswan.org proposals=aes128-sha256-x25519 esp_proposals=aes128gcm16-x25519
CLIENT_AT=client2 client_start
CLIENT_AT=client2 client_configure id=dave@strongswan.org proposals=aes128-sha256-modp4096 esp_proposals=aes128gcm16-modp4096
expect_up
CLIENT_AT=client2 expect_up
expect_flow v4 v6
CLIENT_AT=client2 expect_flow v4 v6
expect_synced
pair_watch
node_kill_all "$first"
expect_takeover "$first"
for who in client client2; do
	CLIENT_AT=$who client_rekey child || fail "$who could not rekey its CHILD SA"
	CLIENT_AT=$who client_rekey ike || fail "$who could not rekey its IKE SA"
	CLIENT_AT=$who expect_client child 1
	CLIENT_AT=$who expect_client ike 1
	CLIENT_AT=$who expect_flow v4 v6
done
pair_went_on
