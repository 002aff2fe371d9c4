#!/usr/bin/env bash
# seconds 240
. "$(dirname "$0")/../pair.sh"
. "$(dirname "$0")/../pki.sh"
. "$(dirname "$0")/../eap.sh"
story 'Each client that docs/clients.md plays connects, its node dies, and it goes on with the other one as before: the same SAs and inner address, its packets flow, it rekeys both SAs and has rekeys of the gateway, and it logs out.'

pki_ca ca
pki_cert rsa ca key=rsa2048 san=DNS:gw.example.org eku=serverAuth
pki_cert ec ca key=p384 san=DNS:gw.example.org eku=serverAuth
PAIR_TOP="certificates:
  rsa: {cert: $PKI/rsa.pem, key: $PKI/rsa.key}
  ec: {cert: $PKI/ec.pem, key: $PKI/ec.key}
authorities: {ca: {file: $PKI/ca.pem}}
users:
  alice: {password: wonderland}
  router: {password: mikrotik}
  bob@example.org: {nt_hash: 46fb959f16db7ae7466bb1d00a79e894}"
chmod 600 "$PKI"/*.key
PAIR_LOCAL='{id: gw.example.org, auth: cert, certificates: [ec, rsa]}'
PAIR_CONN='remote: {auth: eap-mschapv2, eap_ids: [alice, bob@example.org]}
    compat: windows-legacy'
# Two connections more: for who makes one CHILD SA for each pair of networks.
PAIR_CHILD="
  routers:
    local: {id: gw.example.org, auth: cert, certificates: [ec, rsa]}
    remote: {auth: eap-mschapv2, eap_ids: [router]}
    pools: [clients]
    children:
      lan: {local: [10.1.0.0/24], single_pair: true}
  branch:
    local: {id: gw.example.org}
    remote: {ids: [branch@example.org]}
    psk: {file: $RIG/psk}
    children:
      lan: {local: [10.1.0.0/24], remote: [10.77.0.0/24], single_pair: true}"
printf '%s' "$STORY_PSK" >"$RIG/psk"
chmod 600 "$RIG/psk"

# goes_on WHO: with the tunnel that it has, over the death of its node.
goes_on() {
	local was ike child inner
	CLIENT_IS=$1
	was=$(active) ike=$(client_spi ike) child=$(client_spi in) inner=$(client_inner v4 || true)
	[[ -n $ike && -n $child ]] || fail "$1: no tunnel"
	flows || fail "$1: no packet passes"
	expect_synced
	node_kill "$was"
	expect_takeover "$was"
	wait_for 5 'packets by the other node' flows || fail "$1: no packet passes by the other node"
	[[ $(client_spi ike) == "$ike" && $(client_spi in) == "$child" ]] || fail "$1: it has other SAs than before"
	expect_synced
	client_rekey child || fail "$1: no rekey of the CHILD SA"
	expect_client child 1
	flows || fail "$1: no packet passes after its rekey"
	child=$(client_spi in)
	gateway_rekey child
	wait_for 5 'another CHILD SA' client_renewed in "$child" || fail "$1: no rekey of the CHILD SA by the gateway"
	expect_client child 1
	client_rekey ike || fail "$1: no rekey of the IKE SA"
	expect_client ike 1
	flows || fail "$1: no packet passes after all rekeys"
	[[ $(client_inner v4 || true) == "$inner" ]] || fail "$1: another inner address than $inner"
	client_down
	expect_eventually 10 "$1 has logged out" sas_are '.sas == []'
}
flows() {
	if [[ $CLIENT_IS == *branch* ]]; then
		on client ping -c 1 -W 1 -I 10.77.0.1 "$LAN_V4" >/dev/null
	else
		on client ping -c 1 -W 1 "$LAN_V4" >/dev/null
	fi
}
# plays WHO USER PASSWORD [KEY=VALUE...]
plays() {
	eap_client "$2" "$3" vips=0.0.0.0 "${@:4}"
	expect_up
	goes_on "$1"
}

pair_start
client_start 'signature_authentication = no'
plays 'Windows as it is' 'CORP\bob@example.org' builder id=10.0.0.7 gateway_id=%any remote_ts=0.0.0.0/0 \
	proposals=3des-sha1-modp1024,aes256-sha1-modp1024,3des-sha256-modp1024,aes256-sha256-modp1024,aes256-sha384-modp1024 \
	esp_proposals=aes256-sha1,aes128-sha1,3des-sha1
plays 'Windows, hardened' 'CORP\bob@example.org' builder id=10.0.0.7 gateway_id=%any remote_ts=0.0.0.0/0 \
	proposals=aes256gcm16-prfsha384-ecp384 esp_proposals=aes256gcm16-ecp384
client_stop
client_start
plays 'iOS by its settings' alice wonderland id=alices-iphone remote_ts=0.0.0.0/0 more='send_certreq = no' \
	proposals=aes256-sha256-modp2048,aes256-sha256-ecp256,aes256-sha256-modp1536,aes128-sha1-modp1024 \
	esp_proposals=aes256-sha256-modp2048,aes256-sha256
plays 'iOS by a profile' alice wonderland proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256-modp2048 \
	more='send_certreq = no'
plays 'macOS' alice wonderland id=alices-mac more='send_certreq = no' remote_ts=0.0.0.0/0,::/0 vips=0.0.0.0,:: \
	proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256
plays 'Android' alice wonderland id=keyid:alices-phone more='send_certreq = no
				unique = never' \
	proposals=aes256gcm16-aes128gcm16-prfsha512-prfsha256-modp4096-x25519-modp3072-modp2048
plays 'RouterOS' router mikrotik id=router proposals=aes256-sha256-modp2048,aes128-sha256-modp2048 \
	esp_proposals=aes256-sha256-modp2048 remote_ts=10.1.0.0/24
on client ip addr add 10.77.0.1/32 dev lo
client_configure id=branch@example.org vips='' remote_ts=10.1.0.0/24 child_more='local_ts = 10.77.0.0/24' \
	proposals=aes256-sha256-modp2048 esp_proposals=aes256-sha256-modp2048
expect_up
goes_on 'a branch'
