# shellcheck shell=bash
# strongSwan's charon, Debian's unchanged, several at once: one per namespace, each with its own /run and /etc/swanctl.
# Its data plane is kernel-libipsec (ESP in UDP over a TUN device), so the kernel needs no ESP; with CHARON_ESP=kernel it
# is the kernel's, which has to have it (tests/uml). Needs rig.sh.
#
#   charon_start client 'retransmit_tries = 2'   settings of its `charon` section, one a line
#   charon_load client <<<'connections { ... }'  replaces all of its configuration
#   charon_ctl client --initiate --child lan     swanctl of that charon
#   charon_log client                            its log as text

CHARON_ESP=${CHARON_ESP:-libipsec}
# Further plugins: methods of EAP (interop/eap.sh).
CHARON_EAP=${CHARON_EAP:-}

charon_start() {
	local ns=$1 settings=${2:-} dir=$RIG/$1 esp=kernel-libipsec
	[[ $CHARON_ESP != kernel ]] || esp=

	# What remains of an earlier charon here.
	rm -rf "$dir/run"
	mkdir -p "$dir/run" "$dir/swanctl"/{conf.d,x509,x509ca,x509crl,private,rsa,ecdsa,pkcs8,pubkey,bliss,pkcs12,x509aa,x509ocsp,x509ac}
	cat >"$dir/run/strongswan.conf" <<-EOT
		charon {
			load = random nonce openssl aes sha1 sha2 hmac kdf gcm chapoly curve25519 x509 revocation constraints pubkey pkcs1 pkcs8 pem $esp kernel-netlink socket-default vici updown ${CHARON_EAP:-}
			install_routes = yes
			# Its own pacing of half-open SAs is not what is tested here.
			init_limit_half_open = 0
			filelog {
				log {
					path = /run/charon.log
					flush_line = yes
					ike_name = yes
					default = 1
					ike = 2
					enc = 1
					cfg = 1
				}
			}
			$settings
		}
		swanctl {
			# All plugins that there are would take longer than the rest. CHARON_KEYS=1: those for certificates, too.
			load = pem ${CHARON_KEYS:+pkcs1 pkcs8 x509 pubkey openssl}
		}
	EOT
	: >"$dir/run/charon.log"
	# shellcheck disable=SC2016
	rig_start "charon-$ns" "$ns" unshare -m sh -c 'mount --bind "$1/swanctl" /etc/swanctl && mount --bind "$1/run" /run &&
		STRONGSWAN_CONF=/run/strongswan.conf exec /usr/lib/ipsec/charon' sh "$dir"
	wait_for 10 "charon in $ns" charon_answers "$ns"
}

charon_answers() { [[ -S $RIG/$1/run/charon.vici ]]; }

# As a crash: no DELETE is sent, so the gateway does not know.
charon_kill() { rig_stop "charon-$1" KILL || true; }
charon_stop() { rig_stop "charon-$1" || true; }

charon_load() {
	local conf=$RIG/$1/swanctl/swanctl.conf

	(umask 077 && cat >"$conf")
	charon_ctl "$1" --load-all --file "$conf" --clear >"$RIG/log/load-$1" 2>&1 || {
		cat "$RIG/log/load-$1" >&2
		return 1
	}
}

charon_ctl() {
	local ns=$1 verb=$2
	shift 2
	STRONGSWAN_CONF=$RIG/$ns/run/strongswan.conf SWANCTL_DIR=$RIG/$ns/swanctl swanctl "$verb" "$@" --uri "unix://$RIG/$ns/run/charon.vici"
}

charon_log() { cat "$RIG/$1/run/charon.log"; }

charon_version() { /usr/lib/ipsec/charon --version 2>/dev/null | sed -n 's/.*strongSwan \([0-9.]*\).*/\1/p' | head -n 1; }
