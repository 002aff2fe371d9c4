# shellcheck shell=bash
# The client of the stories, played by strongSwan: what each verb of interop/lib.sh means to charon and swanctl.
# A second one is spoken to with CLIENT_AT=client2 before the verb.

CLIENT_AT=client

client_esp() { if [[ $CHARON_ESP == kernel ]]; then printf kernel-netlink; else printf kernel-libipsec; fi; }
client_name() { printf 'strongSwan %s (%s)' "$(charon_version)" "$(client_esp)"; }

# client_start [CHARON-SETTINGS]
client_start() { charon_start "$CLIENT_AT" "retransmit_timeout = 1
			retransmit_base = 1.3
			retransmit_tries = 4
			${1:-}"; }
client_stop() { charon_stop "$CLIENT_AT"; }   # says goodbye (DELETE)
client_crash() { charon_kill "$CLIENT_AT"; }  # does not
client_log() { charon_log "$CLIENT_AT"; }

# client_configure KEY=VALUE...: one connection `road` with one CHILD SA `lan`. Keys: gateway, id, psk, proposals,
# esp_proposals, remote_ts, vips, rekey, child_rekey, dpd, encap, auth, certs, remote_auth, gateway_id, eap_id, eap_secret,
# more (lines of the connection), child_more (of the CHILD SA), children_more (further CHILD SAs).
client_configure() {
	local gateway=$GATEWAY_V4 id=client@example.org psk=$STORY_PSK proposals='' esp_proposals='' \
		remote_ts=10.1.0.0/24,fd01::/64 vips=0.0.0.0,:: rekey=4h child_rekey=1h dpd=0s encap=no auth=psk certs='' remote_auth='' gateway_id=gw.example.org more='' child_more='' children_more='' \
		eap_id='' eap_secret='' pair

	for pair in "$@"; do
		# The keys above are local, so a misspelt one is seen.
		[[ -v ${pair%%=*} ]] || die "client_configure: unknown key ${pair%%=*}"
		printf -v "${pair%%=*}" '%s' "${pair#*=}"
	done
	charon_load "$CLIENT_AT" <<-EOT
		connections {
			road {
				version = 2
				remote_addrs = $gateway
				${vips:+vips = $vips}
				${proposals:+proposals = $proposals}
				rekey_time = $rekey
				dpd_delay = $dpd
				encap = $encap
				$more
				local {
					auth = $auth
					id = $id
					${certs:+certs = $certs}
					${eap_id:+eap_id = $eap_id}
				}
				remote {
					auth = ${remote_auth:-$([[ -n $certs ]] && printf pubkey || printf psk)}
					id = $gateway_id
				}
				children {
					lan {
						remote_ts = $remote_ts
						${esp_proposals:+esp_proposals = $esp_proposals}
						rekey_time = $child_rekey
						$child_more
					}
					$children_more
				}
			}
		}
		secrets {
			ike-1 {
				id-1 = gw.example.org
				secret = "$psk"
			}
			${eap_secret:+eap-1 { secret = "$eap_secret" \}}
		}
	EOT
}

client_up() { charon_ctl "$CLIENT_AT" --initiate --child lan --timeout 20 >"$RIG/log/up-$CLIENT_AT" 2>&1; }
client_down() { charon_ctl "$CLIENT_AT" --terminate --ike road --timeout 5 >"$RIG/log/down" 2>&1; }
client_down_child() { charon_ctl "$CLIENT_AT" --terminate --child lan --timeout 5 >"$RIG/log/down" 2>&1; }

# client_rekey ike|child: until there is a new one. swanctl itself is content with a rekey that the gateway has refused.
client_rekey() {
	local of=ike what=(--ike road) before
	[[ $1 == ike ]] || of=in what=(--child lan)
	before=$(client_spi "$of")
	charon_ctl "$CLIENT_AT" --rekey "${what[@]}" >"$RIG/log/rekey" 2>&1 || return
	wait_for 5 "another $1 SA at $CLIENT_AT" client_renewed "$of" "$before"
}
client_renewed() { [[ -n $(client_spi "$1") && $(client_spi "$1") != "$2" ]]; }

# One `key=value` a line of the SAs as the client sees them, CHILD SAs that are being replaced left out.
client_sa() {
	charon_ctl "$CLIENT_AT" --list-sas --raw 2>/dev/null | tr ' {}[]' '\n' |
		awk -F= '/^[a-z-]+=/ {
			if ($1 == "reqid") child = 1; if ($1 == "uniqueid") child = 0
			if (child && $1 == "state") stands = ($2 == "INSTALLED")
			if ($1 !~ /^spi-/ || stands) print
		}'
}

# The client's inner address: client_inner v4|v6.
client_inner() {
	local pattern='\.'
	[[ $1 == v4 ]] || pattern=':'
	charon_ctl "$CLIENT_AT" --list-sas | sed -n 's/^  local .*\] \[\(.*\)\]$/\1/p' | head -n 1 | tr ' ' '\n' | grep -- "$pattern"
}

# Eight or sixteen hex digits of the newest: client_spi ike|in|out.
client_spi() {
	case $1 in
	ike) client_sa | sed -n 's/^responder-spi=//p' | tail -n 1 ;;
	in) client_sa | sed -n 's/^spi-in=//p' | tail -n 1 ;;
	out) client_sa | sed -n 's/^spi-out=//p' | tail -n 1 ;;
	esac
}

# How many IKE or CHILD SAs stand: client_count ike|child.
client_count() {
	case $1 in
	ike) client_sa | grep -c '^responder-spi=' || true ;;
	child) client_sa | grep -c '^spi-in=' || true ;;
	esac
}
