#!/usr/bin/env bash
# seconds 180
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'A client logs in by EAP-MSCHAPv2 and the active node dies in one round after the other: the other node goes on with it. Within EAP-TLS: one clean failure, and the next attempt succeeds.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert carol ca san=email:carol@example.org eku=clientAuth
PAIR_TOP="certificates: {gw: {cert: $PKI/gw.pem, key: $PKI/gw.key}}
authorities: {ca: {file: $PKI/ca.pem}}
users: {alice: {password: wonderland}}"
PAIR_LOCAL='{id: gw.example.org, auth: cert, certificates: [gw]}'
PAIR_CONN='remote: {auth: [psk, eap-mschapv2, eap-tls], authorities: [ca]}'
chmod 600 "$PKI/gw.key"

# with_fault FAULT: a pair whose active node has it.
with_fault() {
	node_start a GATEWAY_FAULT="$1" || fail 'node a did not start'
	node_start b || fail 'node b did not start'
	expect_synced
	expect_role a active
}
end_pair() {
	node_stop b || true
	node_stop a || true
	rm -rf "$RIG/a/state" "$RIG/b/state"
}

client_start
# Rounds: our proof and the question who it is; challenge; success; EAP-Success; the last AUTH.
for round in 1 2 3 4 5; do
	with_fault "acknowledged/IKE_AUTH:$round:kill"
	eap_client alice wonderland
	expect_up
	expect_role b active
	expect_client ike 1
	expect_flow v4
	(($(client_log | grep -c 'generating IKE_SA_INIT') == round)) || fail "round $round: the client had to begin anew"
	client_down
	end_pair
done

with_fault 'acknowledged/IKE_AUTH:3:kill'
pki_client carol ca auth=eap-tls remote_auth=pubkey
expect_refused
expect_role b active
expect_log client 'EAP_FAILURE|EAP-FAILURE|received AUTHENTICATION_FAILED|EAP_TLS method failed|received EAP_FAILURE'
expect_eventually 15 'nothing is left of the failed attempt' sas_are '.sas == []'
expect_up
expect_flow v4
expect_sas '.sas | length == 1 and .[0].identity == "carol@example.org"' 'carol'
