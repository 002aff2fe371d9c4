# shellcheck shell=bash
# The client of the stories, played by OpenIKED: what each verb of interop/lib.sh means to iked and ikectl. It runs from
# where tools/peers.sh unpacked it, since it wants a user of its own. Its ESP is the kernel's, by PF_KEY (tests/uml).

CLIENT_AT=client
IKED=$RIG_TOP/build/peers/openiked/root

client_name() { printf 'OpenIKED %s' "$(sed -n 's/^openiked (\([0-9.]*\).*/\1/p' <(zcat "$IKED/usr/share/doc/openiked/changelog.Debian.gz") | head -n 1)"; }
client_log() { cat "$RIG/log/iked-$CLIENT_AT"; }
iked_ctl() { "$IKED/usr/sbin/ikectl" -s "$RIG/$CLIENT_AT/iked.sock" "$@"; }

# Its folder, and the user whose rights it takes. It begins with client_up: an active policy does not wait to be told.
client_start() {
	local dir=$RIG/$CLIENT_AT

	[[ -e $IKED/../complete ]] || die "OpenIKED is not unpacked: run 'tools/peers.sh openiked'"
	rm -rf "$dir"
	mkdir -p "$dir"/iked/{ca,certs,crls,private,pubkeys} "$dir/empty" /etc/iked
	(cat /etc/passwd && printf '_iked:x:990:990::%s:/usr/sbin/nologin\n' "$dir/empty") >"$dir/passwd"
	(cat /etc/group && printf '_iked:x:990:\n') >"$dir/group"
	chmod 755 "$RIG" "$dir" "$dir/empty"
	# Without a key of its own it does not start, whatever the policy says.
	openssl ecparam -genkey -name prime256v1 -noout -out "$dir/iked/private/local.key"
	openssl ec -in "$dir/iked/private/local.key" -pubout -out "$dir/iked/local.pub" 2>/dev/null
}
client_stop() { rig_stop "iked-$CLIENT_AT" || true; }
client_crash() { rig_stop "iked-$CLIENT_AT" KILL || true; }

# client_configure KEY=VALUE...: one policy. Keys: as interop/strongswan/client.sh, as far as they mean something here; of
# remote_ts the first network is taken. certs: the name of a certificate that client_import brought in.
client_configure() {
	local gateway=$GATEWAY_V4 id=client@example.org psk=$STORY_PSK ike='' child='' remote_ts=10.1.0.0/24 vips=0.0.0.0 \
		rekey=4h child_rekey=1h certs='' pair

	for pair in "$@"; do
		[[ -v ${pair%%=*} ]] || die "client_configure: unknown key ${pair%%=*}"
		printf -v "${pair%%=*}" '%s' "${pair#*=}"
	done
	IKED_TO=${remote_ts%%,*}
	(umask 077 && cat >"$RIG/$CLIENT_AT/iked.conf") <<-EOT
		set fragmentation
		ikev2 "road" active esp from $([[ -n $vips ]] && printf dynamic || printf 192.0.2.10) to $IKED_TO local 192.0.2.10 peer $gateway ${ike:+ikesa $ike} ${child:+childsa $child} srcid $id dstid gw.example.org ikelifetime $rekey lifetime $child_rekey $([[ -n $certs ]] || printf 'psk "%s"' "$psk") ${vips:+request address any}
	EOT
}
# client_import NAME AUTHORITY: $PKI/NAME.pem with its key, and whom it trusts. Needs interop/pki.sh.
client_import() {
	local dir=$RIG/$CLIENT_AT/iked

	cp "$PKI/$1.pem" "$dir/certs/$1.crt"
	cp "$PKI/$1.key" "$dir/private/local.key"
	cp "$PKI/$2.pem" "$dir/ca/ca.crt"
	openssl pkey -in "$PKI/$1.key" -pubout -out "$dir/local.pub"
}

client_up() {
	local dir=$RIG/$CLIENT_AT inner

	# shellcheck disable=SC2016
	rig_start "iked-$CLIENT_AT" "$CLIENT_AT" unshare -m bash -c 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group &&
		mount --bind "$1/iked" /etc/iked && exec "$2/usr/sbin/iked" -dv -f "$1/iked.conf" -s "$1/iked.sock"' iked "$dir" "$IKED"
	# It looks at its active policies two seconds after its start, and then once a minute; told to be active it looks again.
	wait_for 4 'iked to begin' log_has client 'initiating' || iked_ctl active
	if ! wait_for 15 'a CHILD SA of iked' client_has child 1; then
		client_log | tail -n 5 >"$RIG/log/up-$CLIENT_AT"
		client_stop
		return 1
	fi
	# What its `iface` would do: the address, and the route that uses it.
	if inner=$(client_inner v4); then
		on "$CLIENT_AT" ip address replace "$inner/32" dev lo
		on "$CLIENT_AT" ip route replace "$IKED_TO" via 192.0.2.1 src "$inner"
	fi
}
client_down() {
	iked_ctl passive
	iked_ctl reset id FQDN/gw.example.org
	sleep 0.5
	client_stop
}

# The client's inner address: client_inner v4|v6.
client_inner() {
	[[ $1 == v4 ]] && on "$CLIENT_AT" ip xfrm policy | sed -n 's/^src \(10\.10\.0\.[0-9]*\)\/32 .*/\1/p' | head -n 1 | grep .
}

# How many IKE or CHILD SAs stand: client_count ike|child.
client_count() {
	case $1 in
	ike) iked_ctl show sa 2>/dev/null | grep -c '^iked_sas: .* ESTABLISHED' || true ;;
	child) iked_ctl show sa 2>/dev/null | grep -c '^iked_activesas: .* ESP .* in ' || true ;;
	esac
}
# Eight hex digits of the newest: client_spi in|out.
client_spi() {
	on "$CLIENT_AT" ip xfrm state | awk -v to="$([[ $1 == out ]] && printf '%s' "$GATEWAY_V4")" '
		$1 == "src" { mine = to ? $4 == to : $2 == "'"$GATEWAY_V4"'" } mine && $1 == "proto" { print substr($4, 3) }' | head -n 1
}
