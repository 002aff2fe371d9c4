#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'The configuration is changed under traffic: the tunnel that stays loses nothing, a new connection appears, and one that is removed takes its client along.'

gateway_start
client_start
client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
expect_flow v4
traffic_start

yaml=$RIG/gateway/gateway.yaml
reload() { gateway_ctl reload "$@" --json; }

# A file that is wrong changes nothing and says all that is wrong with it.
cp "$yaml" "$yaml.good"
sed -i 's/dns: \[10.1.0.1\]/dsn: [10.1.0.1]/; s/children:/chidlren:/' "$yaml"
if gateway_ctl reload >/dev/null 2>"$RIG/reload.err"; then fail 'a wrong file was taken'; fi
grep -q 'unknown key `dsn`; did you mean `dns`' "$RIG/reload.err" || fail "the first error is not shown: $(cat "$RIG/reload.err")"
grep -q 'unknown key `chidlren`; did you mean `children`' "$RIG/reload.err" || fail "the second error is not shown: $(cat "$RIG/reload.err")"
expect_sas '.sas | length == 1' 'the client is still there'

# A second connection: told before, done after.
{
	cat "$yaml.good"
	printf '  guests:\n    local: {id: gw.example.org}\n    remote: {ids: ["guest@example.org"]}\n    psk: {file: %s}\n    pools: [clients]\n    children: {lan: {local: [10.1.0.0/24]}}\n' "$RIG/gateway/psk"
} >"$yaml"
reload --dry-run | jq -e '.dry_run and (.changes == [{item: "connections.guests", change: "added", keys: null, effect: "new-sas", sas: 0}])' >/dev/null ||
	fail "dry run: $(reload --dry-run)"
gateway_ctl list-conns --json | jq -e '.conns | length == 1' >/dev/null || fail 'the dry run did something'
reload | jq -e '(.dry_run | not) and .conns == 2 and .sas == 0' >/dev/null || fail 'the new connection did not come'
expect_flow v4
expect_sas '.sas | length == 1 and .[0].conn == "road"' 'the client is where it was'
expect_no_loss 5

# The first one goes, and its client with it.
sed -i '/^  road:/,/^  guests:/{/^  guests:/!d}' "$yaml"
reload --dry-run | jq -e '[.changes[] | select(.item == "connections.road")] == [{item: "connections.road", change: "removed", keys: null, effect: "sas-go", sas: 1}] and .sas == 1' >/dev/null ||
	fail "dry run: $(reload --dry-run)"
expect_sas '.sas | length == 1' 'a dry run ends nobody'
reload | jq -e '.sas == 1' >/dev/null || fail 'the reload did not say whom it ends'
expect_sas '.sas | length == 0' 'the client of the removed connection is gone'
expect_log gateway 'connection road is not configured any more'
expect_client ike 0

# What came can be used; as another identity, which the client now has.
client_configure id=guest@example.org vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
expect_sas '.sas | length == 1 and .[0].conn == "guests"' 'the guest is in'
expect_flow v4
