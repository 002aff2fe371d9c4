# shellcheck shell=bash
# The gateway of the stories, played by charon instead of gatewayd (GATEWAY=charon): when a story fails here too, the
# story or the rig is wrong. Same verbs and keys as interop/gateway.sh; what only gatewayd has is left out.

gateway_process() { printf 'charon-gateway'; }

gateway_start() {
	local psk=$STORY_PSK proposals='' esp_proposals='' rekey=4h child_rekey=1h dpd=0s cookie_threshold='' \
		fragment_size='' remote=%any networks='10.1.0.0/24, fd01::/64' pair

	for pair in "$@"; do
		[[ -v ${pair%%=*} ]] || die "gateway_start: unknown key ${pair%%=*}"
		printf -v "${pair%%=*}" '%s' "${pair#*=}"
	done
	networks=${networks//\"/} # swanctl wants no quotes
	charon_start gateway "retransmit_timeout = 0.5
			retransmit_tries = 3
			retransmit_base = 1.3
			${cookie_threshold:+cookie_threshold = $cookie_threshold}
			${fragment_size:+fragment_size = $fragment_size}"
	charon_load gateway <<-EOT
		connections {
			road {
				version = 2
				pools = clients, clients6
				${proposals:+proposals = $proposals}
				rekey_time = $rekey
				dpd_delay = $dpd
				local {
					auth = psk
					id = gw.example.org
				}
				remote {
					auth = psk
					id = $remote
				}
				children {
					lan {
						local_ts = $networks
						${esp_proposals:+esp_proposals = $esp_proposals}
						rekey_time = $child_rekey
					}
				}
			}
		}
		pools {
			clients {
				addrs = 10.10.0.0/24
				dns = 10.1.0.1
			}
			clients6 {
				addrs = fd10::/64
			}
		}
		secrets {
			ike-1 {
				secret = "$psk"
			}
		}
	EOT
}

gateway_stop() { charon_stop gateway; }
gateway_kill() { charon_kill gateway; }
gateway_log() { charon_log gateway; }

gateway_rekey() {
	case $1 in
	ike) charon_ctl gateway --rekey --ike road >/dev/null ;;
	child) charon_ctl gateway --rekey --child lan >/dev/null ;;
	esac
}

gateway_terminate() { charon_ctl gateway --terminate --ike road --timeout 5 >/dev/null; }
