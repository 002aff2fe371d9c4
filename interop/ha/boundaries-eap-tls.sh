#!/usr/bin/env bash
# seconds 400
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'A client logs in by EAP-TLS and the active node is killed in one round after the other, and at each boundary of one: its successor goes on with it or refuses it at once; the next attempt succeeds, and no SA and no lease is left.'

pki_ca ca
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert carol ca san=email:carol@example.org eku=clientAuth
chmod 600 "$PKI/gw.key"
PAIR_TOP="certificates: {gw: {cert: $PKI/gw.pem, key: $PKI/gw.key}}
authorities: {ca: {file: $PKI/ca.pem}}"
PAIR_LOCAL='{id: gw.example.org, auth: cert, certificates: [gw]}'
PAIR_CONN='remote: {auth: [eap-tls], authorities: [ca]}'

NO_LEASE='[.leases[] | select(.state == "used")] == []'
nothing_is_left() { sas_are '.sas == []' && gateway_ctl list-leases --json | jq -e "$NO_LEASE" >/dev/null; }
sent() { client_log | grep -c "generating $1 request" || true; }

# attempt: one of the client's, with one IKE_SA_INIT, and an answer to it whatever it is.
attempt() {
	local before
	before=$(sent IKE_SA_INIT) UP=no
	! client_up || UP=yes
	(($(sent IKE_SA_INIT) == before + 1)) || fail "$1: the client began $(($(sent IKE_SA_INIT) - before)) times"
	expect_no_log client 'giving up|peer not responding'
}
leave() {
	[[ $(client_count ike) == 0 ]] || client_down
	expect_eventually 15 "$1: no SA, no lease" nothing_is_left
}

pair_start
expect_role a active
client_start
pki_client carol ca auth=eap-tls remote_auth=pubkey
attempt 'undisturbed'
[[ $UP == yes ]] || fail "the client could not connect: $(tail -n 3 "$RIG/log/up-client")"
rounds=$(sent IKE_AUTH)
# The identity; start; the server's hello and certificate; its end of the handshake; EAP-Success; AUTH.
((rounds == 6)) || fail "EAP-TLS took $rounds rounds"
leave 'undisturbed'

# What a handshake of TLS is amid cannot be told to the other node; before and after it can.
goes_on() {
	case $1/$2 in
	*/1 | */6 | before-replicate/2 | acknowledged/5 | sent/5) echo yes ;;
	replicated/[25]) echo either ;;
	*) echo no ;;
	esac
}
for ((round = 1; round <= rounds; round++)); do
	for place in before-replicate replicated acknowledged sent; do
		where="killed at $place/IKE_AUTH, round $round"
		node_stop a || fail "node a did not end well before: $where"
		node_start a GATEWAY_FAULT="$place/IKE_AUTH:$round:kill" || fail 'node a did not start'
		expect_synced
		node_ctl b ha switchover >/dev/null || fail 'b did not hand over to a'
		expect_role a active
		expect_synced
		attempt "$where"
		grep -q "fault: $place/IKE_AUTH: kill" "$RIG/log/gatewayd-a" || fail "not $where"
		expect_role b active
		[[ $(goes_on "$place" "$round") =~ ^($UP|either)$ ]] || fail "$where: the client got in: $UP"
		if [[ $UP == no ]]; then
			grep -q 'EAP_FAILURE\|AUTHENTICATION_FAILED\|EAP_TLS failed' "$RIG/log/up-client" || fail "$where: $(tail -n 2 "$RIG/log/up-client")"
			leave "$where"
			attempt "$where, again"
			[[ $UP == yes ]] || fail "$where: the next attempt failed, too"
		fi
		expect_client ike 1
		expect_sas '.sas | length == 1 and .[0].identity == "carol@example.org"' 'carol, once'
		expect_flow v4 v6
		leave "$where"
		: >"$RIG/log/gatewayd-a"
	done
done
