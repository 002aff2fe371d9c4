# shellcheck shell=bash
# The gateway of the stories: gatewayd.

GATEWAY_PLANE=${GATEWAY_PLANE:-userspace}

gateway_process() { printf 'gatewayd-gateway'; }

# gateway_start KEY=VALUE...: see the keys below; the config is written as a user would write it. conn_more, child_more:
# one more line of the connection, of its child.
gateway_start() {
	local psk=$STORY_PSK top='' local='{id: gw.example.org}' remote_map='' eap='' proposals='' esp_proposals='' rekey='' child_rekey='' dpd='' cookie_threshold='' mss_clamp=auto \
		interface='' mark='' output_mark='' offload='' conn_more='' child_more='' \
		fragment_size='' remote='' networks='10.1.0.0/24, "fd01::/64"' log_level=debug pair

	for pair in "$@"; do
		[[ -v ${pair%%=*} ]] || die "gateway_start: unknown key ${pair%%=*}"
		printf -v "${pair%%=*}" '%s' "${pair#*=}"
	done
	[[ -z $psk ]] || gatewayd_secret gateway psk "$psk"
	[[ -n $remote_map || -z $remote ]] || remote_map="{ids: [\"$remote\"]}"
	gatewayd_start gateway <<-EOT
		control: {socket: $RIG/gateway/control.sock}
		state_dir: $RIG/gateway/state
		dataplane: $GATEWAY_PLANE
		mss_clamp: $mss_clamp
		log: {level: $log_level}
		ike:
		  retransmit: {first: 300ms, tries: 3}
		  ${cookie_threshold:+cookie_threshold: $cookie_threshold}
		  ${fragment_size:+fragment_size: $fragment_size}
		$top
		pools:
		  clients: {addresses: 10.10.0.0/24, dns: [10.1.0.1]}
		  clients6: {addresses: fd10::/64}
		connections:
		  road:
		    local: $local
		    ${remote_map:+remote: $remote_map}
		    ${eap:+eap: $eap}
		    ${psk:+psk: {file: $RIG/gateway/psk\}}
		    pools: [clients, clients6]
		    ${proposals:+proposals: [$proposals]}
		    ${rekey:+rekey: $rekey}
		    ${dpd:+dpd: $dpd}
		    ${interface:+interface: $interface}
		    ${mark:+mark: $mark}
		    ${output_mark:+output_mark: $output_mark}
		    ${offload:+offload: $offload}
		    $conn_more
		    children:
		      lan:
		        local: [$networks]
		        ${esp_proposals:+proposals: [$esp_proposals]}
		        ${child_rekey:+rekey: $child_rekey}
		        $child_more
	EOT
}

gateway_stop() { gatewayd_stop gateway && gateway_left_nothing; }

# In the kernel.
gateway_left_nothing() {
	local left
	left=$(on gateway ip xfrm state && on gateway ip xfrm policy)
	[[ -z $left ]] || warn "gatewayd left in the kernel: $left"
	[[ -z $left ]]
}
gateway_kill() { gatewayd_kill gateway; }
gateway_ctl() { gatewayd_ctl gateway "$@"; }
gateway_log() { gatewayd_log gateway; }

# The number of the one IKE SA that stands.
gateway_sa_id() { gateway_ctl list-sas --json | jq -e '.sas[0].id'; }

# gateway_rekey ike|child
gateway_rekey() {
	case $1 in
	ike) gateway_ctl rekey --id "$(gateway_sa_id)" >/dev/null ;;
	child) gateway_ctl rekey --id "$(gateway_sa_id)" --child >/dev/null ;;
	esac
}

gateway_terminate() { gateway_ctl terminate --id "$(gateway_sa_id)" >/dev/null; }
