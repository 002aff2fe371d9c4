# shellcheck shell=bash
# The client of the stories, played by Libreswan: what each verb of interop/lib.sh means to pluto and whack. Its package
# and strongSwan's cannot be installed together, so it runs from where tools/peers.sh unpacked it. Its ESP is the kernel's
# (tests/uml).

CLIENT_AT=client
PLUTO=$RIG_TOP/build/peers/libreswan/root

client_name() { printf 'Libreswan %s' "$(pluto_run pluto --version 2>/dev/null | sed -n 's/^Libreswan //p')"; }
client_log() { cat "$RIG/log/pluto-$CLIENT_AT"; }

# pluto_run PROGRAM ARGUMENT...: of its own folder, with its own libraries.
pluto_run() {
	local program=$1 dir
	shift
	for dir in libexec/ipsec bin sbin; do
		[[ ! -x $PLUTO/usr/$dir/$program ]] ||
			LD_LIBRARY_PATH=$PLUTO/usr/lib/x86_64-linux-gnu exec "$PLUTO/usr/$dir/$program" "$@"
	done
	die "no $program in $PLUTO"
}

pluto_whack() { (pluto_run whack --ctlsocket "$RIG/$CLIENT_AT/run/pluto.ctl" "$@"); }

client_start() {
	local dir=$RIG/$CLIENT_AT

	[[ -e $PLUTO/../complete ]] || die "Libreswan is not unpacked: run 'tools/peers.sh libreswan'"
	rm -rf "$dir"
	mkdir -p "$dir/run" "$dir/nss" "$dir/ipsec.d"
	: >"$dir/ipsec.secrets"
	: >"$dir/ipsec.conf"
	(pluto_run certutil -N -d "sql:$dir/nss" --empty-password)
	export -f pluto_run
	export PLUTO
	# It looks for its programs in their usual place, which in the guest is ours to make.
	mkdir -p /usr/libexec/ipsec
	# shellcheck disable=SC2016
	rig_start "pluto-$CLIENT_AT" "$CLIENT_AT" unshare -m bash -c 'mount --bind "$PLUTO/usr/libexec/ipsec" /usr/libexec/ipsec && pluto_run "$@"' pluto_run pluto --nofork --stderrlog --log-no-time --use-xfrm --no-dnssec \
		--config "$dir/ipsec.conf" --secretsfile "$dir/ipsec.secrets" --nssdir "$dir/nss" --ipsecdir "$dir/ipsec.d" --rundir "$dir/run" --nhelpers 0
	wait_for 10 "pluto in $CLIENT_AT" pluto_whack --status
}
client_stop() {
	pluto_whack --shutdown >/dev/null 2>&1 || true
	rig_stop "pluto-$CLIENT_AT" || true
}
client_crash() { rig_stop "pluto-$CLIENT_AT" KILL || true; }

# client_configure KEY=VALUE...: one connection `road`. Keys: as interop/strongswan/client.sh, as far as they mean something here.
# Libreswan makes one CHILD SA of one pair of selectors: of remote_ts the first network is taken. certs: the nickname of a
# certificate that client_import brought in.
client_configure() {
	local gateway=$GATEWAY_V4 id=client@example.org psk=$STORY_PSK proposals='' esp_proposals='' \
		remote_ts=10.1.0.0/24 vips=0.0.0.0 rekey=4h child_rekey=1h dpd=0s encap=no certs='' auth=secret dir=$RIG/$CLIENT_AT pair

	for pair in "$@"; do
		[[ -v ${pair%%=*} ]] || die "client_configure: unknown key ${pair%%=*}"
		printf -v "${pair%%=*}" '%s' "${pair#*=}"
	done
	(umask 077 && printf '@gw.example.org %s : PSK "%s"\n' "$id" "$psk" >"$dir/ipsec.secrets")
	cat >"$dir/ipsec.conf" <<-EOT
		conn road
		    ikev2=yes
		    authby=$auth
		    left=%defaultroute
		    leftid=$id
		    ${certs:+leftcert=$certs}
		    ${certs:+leftsendcert=always}
		    ${certs:+rightca=%any}
		    ${vips:+leftmodecfgclient=yes}
		    ${vips:+leftsubnet=0.0.0.0/0}
		    right=$gateway
		    rightid=@gw.example.org
		    rightsubnet=${remote_ts%%,*}
		    narrowing=yes
		    ${proposals:+ike=$proposals}
		    ${esp_proposals:+esp=$esp_proposals}
		    ikelifetime=$rekey
		    salifetime=$child_rekey
		    retransmit-interval=300
		    encapsulation=$([[ $encap == yes ]] && printf yes || printf auto)
		    leftupdown=$INTEROP/libreswan/updown
		    auto=add
	EOT
	pluto_whack --listen >/dev/null
	pluto_whack --rereadsecrets >/dev/null
	(on_client_addconn "$dir") >"$RIG/log/load-$CLIENT_AT" 2>&1 || {
		cat "$RIG/log/load-$CLIENT_AT" >&2
		return 1
	}
}
# client_import NAME AUTHORITY: $PKI/NAME.pem with its key, and whom it trusts, into its database. Needs interop/pki.sh.
client_import() {
	local dir=$RIG/$CLIENT_AT

	openssl pkcs12 -export -in "$PKI/$1.pem" -inkey "$PKI/$1.key" -name "$1" -passout pass: -out "$dir/$1.p12" &&
		(pluto_run pk12util -i "$dir/$1.p12" -d "sql:$dir/nss" -W '') >>"$RIG/log/nss-$CLIENT_AT" 2>&1 &&
		(pluto_run certutil -A -d "sql:$dir/nss" -n "$2" -t CT,C,C -i "$PKI/$2.pem") >>"$RIG/log/nss-$CLIENT_AT" 2>&1 ||
		die "NSS does not take $1: $(tail -n 3 "$RIG/log/nss-$CLIENT_AT")"
}
# It asks the kernel for the route to the gateway, so in the client's namespace.
on_client_addconn() {
	export -f pluto_run die warn
	export PLUTO
	on "$CLIENT_AT" bash -c 'pluto_run "$@"' pluto_run addconn --config "$1/ipsec.conf" --ctlsocket "$1/run/pluto.ctl" road
}

client_up() { timeout 20 bash -c "$(declare -f pluto_run pluto_whack die warn); PLUTO=$PLUTO RIG=$RIG CLIENT_AT=$CLIENT_AT pluto_whack --name road --initiate" >"$RIG/log/up-$CLIENT_AT" 2>&1 && grep -q 'established Child SA' "$RIG/log/up-$CLIENT_AT"; }
client_down() { pluto_whack --name road --terminate >"$RIG/log/down" 2>&1; }

# client_rekey ike|child
client_rekey() { pluto_whack --name road "--rekey-$([[ $1 == ike ]] && printf ike || printf ipsec)" >"$RIG/log/rekey" 2>&1; }

# The client's inner address: client_inner v4|v6.
client_inner() {
	[[ $1 == v4 ]] && on "$CLIENT_AT" ip -o -4 addr show to 10.10.0.0/24 | awk '{ sub("/.*", "", $4); print $4; exit }' | grep .
}

# How many IKE or CHILD SAs stand: client_count ike|child.
client_count() {
	case $1 in
	ike) pluto_whack --status | grep -c 'STATE_V2_ESTABLISHED_IKE_SA' || true ;;
	child) pluto_whack --status | grep -c 'STATE_V2_ESTABLISHED_CHILD_SA' || true ;;
	esac
}
# Eight hex digits of the newest: client_spi in|out.
client_spi() {
	on "$CLIENT_AT" ip xfrm state | awk -v to="$([[ $1 == out ]] && printf '%s' "$GATEWAY_V4")" '
		$1 == "src" { mine = to ? $4 == to : $2 == "'"$GATEWAY_V4"'" } mine && $1 == "proto" { print substr($4, 3) }' | head -n 1
}
