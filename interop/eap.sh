# shellcheck shell=bash
# Clients that log in by EAP. Needs lib.sh and pki.sh; to be read before client_start.
#
#   eap_gateway [KEY=VALUE...]                a gateway with a certificate and the users alice and bob@example.org
#   eap_client alice PASSWORD [KEY=VALUE...]  a client with a password, keys as client_configure; trusts the gateway's CA
#
# Alice's password is wonderland, bob's is builder.

CHARON_EAP='eap-identity eap-mschapv2 eap-tls eap-gtc eap-md5'

# Keys: key (of our certificate: p256), others as pki_gateway.
eap_gateway() {
	local key=p256
	case ${1:-} in key=*) key=${1#key=}; shift ;; esac
	pki_ca ca
	pki_cert gw ca key="$key" san=DNS:gw.example.org eku=serverAuth
	pki_gateway gw ca auth=eap-mschapv2 \
		users='alice: {password: wonderland}, bob@example.org: {nt_hash: 46fb959f16db7ae7466bb1d00a79e894}' "$@"
}

eap_client() {
	local user=$1 password=$2
	cp "$PKI/ca.pem" "$RIG/$CLIENT_AT/swanctl/x509ca/"
	client_configure auth=eap id="$user" eap_id="$user" eap_secret="$password" remote_auth=pubkey "${@:3}"
}
