#!/usr/bin/env bash
# seconds 90
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../pki.sh"
story 'Servers of revocation lists that hang, drip, flood, lie, or have the list of somebody else: nobody who does not need them waits, the strict refuse who does, and a good list besides is enough.'

pki_ca ca
pki_ca other
pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
pki_cert alice ca san=email:alice@example.org
mkdir -p "$PKI/www"
pki_crl other
cp "$PKI/other.crl" "$PKI/www/"
rig_start www lan python3 "$RIG_TOP/tests/rig/badweb.py" "$PKI/www"
wait_for 5 'the web server' on gateway curl -s -o /dev/null "http://$LAN_V4/page"
bad=''
for page in hang drip flood lie page other.crl; do bad+="\"http://$LAN_V4/$page\", "; done
pki_gateway gw ca auth='psk, cert' psk=$STORY_PSK authority="crl: [${bad%, }], revocation: strict"
memory() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$(rig_pid gatewayd-gateway)/status"; }
client_start

# While all of them misbehave, who shows no certificate does not notice.
cp "$PKI/ca.pem" "$RIG/client/swanctl/x509ca/"
began=$(now_ms)
client_configure remote_auth=pubkey
expect_up
(($(now_ms) - began < 3000)) || fail "it took $(($(now_ms) - began)) ms to connect"
expect_flow v4
gateway_ctl stats >/dev/null || fail 'the daemon does not answer'
client_down
pki_client alice ca
expect_refused
for page in hang drip flood lie page other.crl; do
	expect_eventually 25 "a word about $page" log_has gateway "list of revoked certificates http://$LAN_V4/$page of authority ca: ."
done
expect_refused
expect_log gateway 'refused alice@example\.org .*there is no list of revoked certificates of its issuer .*authority ca is strict'
(($(memory) < 400000)) || fail "the daemon has needed $(memory) kB"

# A good one beside them is all that is needed, at once.
pki_crl ca
cp "$PKI/ca.crl" "$PKI/www/"
sed -i "s|other.crl\"|&, \"http://$LAN_V4/ca.crl\"|" "$RIG/gateway/gateway.yaml"
gateway_ctl reload >/dev/null
expect_eventually 25 'the good list' log_has gateway 'list of revoked certificates .*ca\.crl of authority ca: 0 entries'
expect_up
expect_flow v4
