#!/usr/bin/env bash
# `make bench-ike`: what handshakes, liveness and rekeys cost the responder, and what a tunnel takes in memory; gatewayd over
# the fake and the userspace plane, and strongSwan's charon over kernel-libipsec, driven by the same gw-load in the same run.
#
#   client  ────────────────  gateway
#   100.64.x.y, gw-load       198.51.100.2, gatewayd | charon
#   core 0                    core 1
#
# CPU time is what the scheduler charged to all threads of the responder, kernel and interrupts on its behalf included.
# Memory is the growth of its proportional set size while gw-load runs, which shares libraries with it. Each handshake is of a client of its own, with its own identity, SPIs
# and nonces; the generator's Diffie-Hellman key is one for all, so that it is not the bottleneck; all are forced into UDP encapsulation, which kernel-libipsec cannot do without. Neither side logs.
#
# ROUNDS (3) of gatewayd, medians count; one of charon. TUNNELS (10000) of each; CHARON_TUNNELS (TUNNELS) of charon, whose
# last thousands take minutes with kernel-libipsec. SECTIONS (all) of it: psk, certs, eap, charon, charon-certs. Writes build/bench/ike.json and the single runs, build/bench/ike.runs.

set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/rig.sh"
. "$TOP/tests/rig/charon.sh"
. "$TOP/tests/rig/gatewayd.sh"
GATEWAY_BUILD=${GATEWAY_BUILD:-$TOP/build/release}
LOAD=$GATEWAY_BUILD/tests/load/gw-load
FLOOR=$GATEWAY_BUILD/tests/load/bench-floor
ROUNDS=${ROUNDS:-3}
TUNNELS=${TUNNELS:-10000}
CHARON_TUNNELS=${CHARON_TUNNELS:-$TUNNELS}
SECTIONS=${SECTIONS:-psk certs eap charon charon-certs}
OUT=$TOP/build/bench
IKE=aes128gcm16-prfsha256-x25519
ESP=aes128gcm16
PSK=correct-horse-battery-staple

wanted() { [[ " $SECTIONS " == *" $1 "* ]]; }

cores() { taskset -pc $$ | sed 's/.*: //'; }

# The responder on the last core that we may use, the generator on the first.
pin() { taskset -acp "$(cores | sed 's/.*[,-]//')" "$1" >/dev/null; }

# An authority and our certificate, in $RIG/pki: what openssl makes of P-256.
pki() {
	local dir=$RIG/pki
	mkdir -p "$dir"
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key"
	openssl req -x509 -new -key "$dir/ca.key" -subj /O=Example/CN=ca -days 30 -out "$dir/ca.pem" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
	(umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$dir/gw.key")
	openssl req -new -key "$dir/gw.key" -subj /O=Example/CN=gw -out "$dir/gw.csr"
	printf 'subjectAltName=DNS:gw.example.org\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n' >"$dir/ext"
	openssl x509 -req -in "$dir/gw.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -set_serial 1 -days 30 -extfile "$dir/ext" -out "$dir/gw.pem"
} 2>/dev/null

# load RESPONDER PLAN [OPTION...]: one line of ike.runs for each item of the plan.
load() {
	local status=0 of=$1 what=$2
	shift 2

	on client taskset -c "$(cores | sed 's/[,-].*//')" "$LOAD" --to "$GATEWAY_V4" --from 100.64.0.1 --sources 64 --nat \
		--psk "$PSK" --ike "$IKE" --esp "$ESP" --pid "$(rig_pid "$process")" --patience 120 --plan "$what" "$@" >"$RIG/load.json" || status=$?
	jq -c --arg of "$of" '.results[] + {of: $of}' "$RIG/load.json" >>"$OUT/ike.runs"
	jq -r --arg of "$of" '.results[] | "  \($of) \(.job) \(.up_before): \(.cpu_us_each * 10 | round / 10) us each, \(.per_second | round)/s, generator \(.generator_us_each | round) us\(if .why then ", " + .why else "" end)"' "$RIG/load.json"
	((status == 0)) || die "gw-load: $of did not do all of $what"
}

idle() {
	sleep 1
	jq -cn --arg of "$1" --argjson kb "$(awk '$1 == "Pss:" { print $2 }' "/proc/$(rig_pid "$process")/smaps_rollup")" \
		'{of: $of, job: "idle", pss_kb: $kb}' >>"$OUT/ike.runs"
}

# How fast this machine is at the moment: what OpenSSL alone takes for the public key operations of a handshake, on the
# responder's core (where the goals were set: x25519 24 + 28 us, P-256 16.5 to sign and 42.5 to verify).
calibrate() {
	taskset -c "$(cores | sed 's/.*[,-]//')" "$FLOOR" | jq -c '. + {of: "machine", job: "floor"}' >>"$OUT/ike.runs"
}

plan() { printf 'up:100,up:1000'; }
more() { (($1 > 1100)) && printf ',up:%s,up:1000' "$(($1 - 1100))"; true; }

run_ours() {
	local plane=$1

	gatewayd_secret gateway psk "$PSK"
	gatewayd_start gateway <<-EOT
		control: {socket: $RIG/gateway/control.sock}
		state_dir: $RIG/gateway/state
		dataplane: $plane
		log: {level: error}
		pools:
		  clients: {addresses: 10.64.0.0/15}
		connections:
		  load:
		    local: {id: gw.example.org}
		    psk: {file: $RIG/gateway/psk}
		    pools: [clients]
		    dpd: 0
		    children:
		      lan: {local: [10.1.0.0/24]}
	EOT
	process=gatewayd-gateway
	pin "$(rig_pid "$process")"
	idle "$plane"
	load "$plane" "$(plan)$(more "$TUNNELS"),probe:20000,child:5000,ike:5000"
	# Without a word to 11,000 clients.
	gatewayd_kill gateway
	rm -rf "$RIG/gateway"
}

# The same with certificates, over the fake plane.
run_ours_certs() {
	gatewayd_start gateway <<-EOT
		control: {socket: $RIG/gateway/control.sock}
		state_dir: $RIG/gateway/state
		dataplane: fake
		log: {level: error}
		pools:
		  clients: {addresses: 10.64.0.0/15}
		certificates:
		  gw: {cert: $RIG/pki/gw.pem, key: $RIG/pki/gw.key}
		authorities:
		  ca: {file: $RIG/pki/ca.pem}
		connections:
		  load:
		    local: {id: gw.example.org, auth: cert, certificates: [gw]}
		    remote: {auth: cert, authorities: [ca]}
		    pools: [clients]
		    dpd: 0
		    children:
		      lan: {local: [10.1.0.0/24]}
	EOT
	process=gatewayd-gateway
	pin "$(rig_pid "$process")"
	idle certs
	load certs "$(plan)$(more "$TUNNELS")" --certs "$RIG/pki"
	gatewayd_kill gateway
	rm -rf "$RIG/gateway"
}

# EAP-MSCHAPv2, each client a user of its own; we prove ourselves by certificate. Over the fake plane.
run_ours_eap() {
	gatewayd_start gateway < <(
		cat <<-EOT
			control: {socket: $RIG/gateway/control.sock}
			state_dir: $RIG/gateway/state
			dataplane: fake
			log: {level: error}
			pools:
			  clients: {addresses: 10.64.0.0/15}
			certificates:
			  gw: {cert: $RIG/pki/gw.pem, key: $RIG/pki/gw.key}
			connections:
			  load:
			    local: {id: gw.example.org, auth: cert, certificates: [gw]}
			    remote: {auth: eap-mschapv2}
			    pools: [clients]
			    dpd: 0
			    children:
			      lan: {local: [10.1.0.0/24]}
			users:
		EOT
		seq -f "  load%06.0f@example.org: {password: '$PSK'}" 0 "$((TUNNELS + 100))"
	)
	process=gatewayd-gateway
	pin "$(rig_pid "$process")"
	idle eap
	load eap "up:100,up:1000$(((TUNNELS > 1100)) && printf ',up:%s' "$((TUNNELS - 1100))")" --eap "$PSK"
	gatewayd_kill gateway
	rm -rf "$RIG/gateway"
}

run_charon_certs() {
	CHARON_KEYS=1 charon_start gateway '
		ikesa_table_size = 16384
		ikesa_table_segments = 16
		filelog {
			log {
				default = -1
				ike = -1
				enc = -1
				cfg = -1
			}
		}'
	process=charon-gateway
	cp "$RIG/pki/ca.pem" "$RIG/gateway/swanctl/x509ca/"
	cp "$RIG/pki/gw.pem" "$RIG/gateway/swanctl/x509/"
	cp "$RIG/pki/gw.key" "$RIG/gateway/swanctl/private/"
	charon_load gateway <<-EOT
		connections {
			load {
				version = 2
				proposals = $IKE
				pools = clients
				rekey_time = 0
				unique = never
				local {
					auth = pubkey
					certs = gw.pem
					id = gw.example.org
				}
				remote {
					auth = pubkey
				}
				children {
					lan {
						local_ts = 10.1.0.0/24
						esp_proposals = $ESP
						rekey_time = 0
					}
				}
			}
		}
		pools {
			clients {
				addrs = 10.64.0.0/15
			}
		}
	EOT
	pin "$(rig_pid "$process")"
	idle charon-certs
	load charon-certs "$(plan)" --certs "$RIG/pki"
	charon_kill gateway
}

run_charon() {
	charon_start gateway '
		ikesa_table_size = 16384
		ikesa_table_segments = 16
		filelog {
			log {
				default = -1
				ike = -1
				enc = -1
				cfg = -1
			}
		}'
	process=charon-gateway
	charon_load gateway <<-EOT
		connections {
			load {
				version = 2
				proposals = $IKE
				pools = clients
				rekey_time = 0
				unique = never
				local {
					auth = psk
					id = gw.example.org
				}
				remote {
					auth = psk
				}
				children {
					lan {
						local_ts = 10.1.0.0/24
						esp_proposals = $ESP
						rekey_time = 0
					}
				}
			}
		}
		pools {
			clients {
				addrs = 10.64.0.0/15
			}
		}
		secrets {
			ike-load {
				secret = $PSK
			}
		}
	EOT
	pin "$(rig_pid "$process")"
	idle charon
	load charon "$(plan),probe:5000,child:1000,ike:1000$(more "$CHARON_TUNNELS")"
	charon_kill gateway
}

rig_require jq unshare swanctl taskset openssl
for program in "$GATEWAY_BUILD/gatewayd" "$LOAD" "$FLOOR"; do
	[[ -x $program ]] || die "$program is missing: run 'make build'"
done
(($(nproc) > 1)) || die 'two cores are needed: one for the responder, one for the generator'
mkdir -p "$OUT"
: >"$OUT/ike.runs"
export GATEWAY_ALLOW_FAKE=1
rig_begin bench
rig_topology direct
ip -n "$RIG_ID-client" route add local 100.64.0.0/16 dev lo
ip -n "$RIG_ID-gateway" route add 100.64.0.0/16 via 198.51.100.10

pki
for ((round = 1; round <= ROUNDS; round++)); do
	for plane in fake userspace; do
		wanted psk || continue
		say "round $round of $ROUNDS, gatewayd, $plane plane"
		calibrate
		run_ours "$plane"
	done
	if wanted certs; then
		say "round $round of $ROUNDS, gatewayd, certificates"
		calibrate
		run_ours_certs
	fi
	if wanted eap; then
		say "round $round of $ROUNDS, gatewayd, EAP-MSCHAPv2"
		calibrate
		run_ours_eap
	fi
	calibrate
done
if wanted charon; then
	say "strongSwan $(charon_version), kernel-libipsec"
	run_charon
fi
if wanted charon-certs; then
	say "strongSwan $(charon_version), kernel-libipsec, certificates"
	run_charon_certs
fi

jq -s --arg peer "strongSwan $(charon_version) kernel-libipsec" --argjson tunnels "$TUNNELS" -f "$TOP/tests/load/bench_ike.jq" \
	"$OUT/ike.runs" >"$OUT/ike.json"
say
jq -r '.results[] | select(.value) | [(if .met == null then "-" elif .met then "met" else "NOT MET" end), .measure, "\(.value) \(.unit)", "peer \(.peer.value)", (if .reference then "quoted \(.reference.value)" else "" end), (.goal // ""), (if .floor then "\(.floor.ratio) x the floor of \(.floor.value)" else "" end)] | join("   ")' "$OUT/ike.json"
say 'written: build/bench/ike.json'
