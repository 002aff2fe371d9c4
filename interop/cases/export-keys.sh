#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Keys of one SA are exported for a while, with those of its rekeys; without leave in the configuration they are not.'

# Long enough for all of the below, which takes longer in a guest.
for=6
[[ ${STORY_RIG:-host} == host ]] || for=40
gateway_start
client_start
client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24 proposals=aes128gcm16-prfsha256-x25519 esp_proposals=aes128gcm16
expect_up
state=$RIG/gateway/state
export_keys() { gateway_ctl export-keys --id "$(gateway_sa_id)" --for "$1"; }
! export_keys 1m 2>/dev/null || fail 'keys are exported without leave'
[[ ! -e $state/esp_sa ]] || fail 'a file of keys without leave'
sed -i 's|control: {socket: \(.*\)}|control: {socket: \1, export_keys: true}|' "$RIG/gateway/gateway.yaml"
gateway_ctl reload >/dev/null
export_keys ${for}s >/dev/null || fail 'keys are not exported'
[[ $(stat -c %a "$state/esp_sa") == 600 ]] || fail 'others can read the keys'
(($(wc -l <"$state/ikev2_decryption_table") == 1 && $(wc -l <"$state/esp_sa") == 2)) || fail "tables: $(wc -l "$state"/{ike,esp}*)"
grep -q "\"0x$(client_spi in)\",\"AES-GCM with 16 octet ICV \[RFC4106\]\",\"0x[0-9a-f]\{40\}\",\"NULL\",\"0x\"" "$state/esp_sa" || fail "esp_sa: $(cut -c1-80 "$state/esp_sa")"
gateway_rekey child
expect_eventually 10 'the keys of the new CHILD SA' sh -c "[ \$(wc -l <'$state/esp_sa') = 4 ]"
gateway_rekey ike
expect_eventually 10 'the keys of the new IKE SA' sh -c "[ \$(wc -l <'$state/ikev2_decryption_table') = 2 ]"
expect_log gateway "its keys are exported to .* for $for s by order of root"
expect_eventually $((for + 10)) 'the end of the export' test ! -e "$state/esp_sa"
expect_log gateway 'the export of keys of #[0-9]+ ends'
expect_flow v4
