# shellcheck shell=bash
# Certificates for stories, made with openssl: authorities, intermediates, leaves, lists of revoked ones. Needs lib.sh.
#
#   pki_ca ca                                 an authority: $PKI/ca.pem, ca.key
#   pki_ca mid ca                             an intermediate one, issued by ca
#   pki_cert gw ca san=DNS:gw.example.org eku=serverAuth
#   pki_revoke ca alice; pki_crl ca           $PKI/ca.crl
#   pki_gateway gw ca; pki_client alice ca    what each side is given: its own name, and whom it trusts
#
# A kind of key is rsa2048, rsa3072, p256, p384, p521, ed25519, ed448.

PKI=
CHARON_KEYS=1

pki_begin() {
	PKI=$RIG/pki
	mkdir -p "$PKI"
}

pki_key() {
	case $1 in
	rsa*) openssl genrsa -out "$2" "${1#rsa}" ;;
	p256) openssl ecparam -name prime256v1 -genkey -noout -out "$2" ;;
	p384) openssl ecparam -name secp384r1 -genkey -noout -out "$2" ;;
	p521) openssl ecparam -name secp521r1 -genkey -noout -out "$2" ;;
	*) openssl genpkey -algorithm "$1" -out "$2" ;;
	esac 2>>"$RIG/log/pki"
}

# pki_issue NAME ISSUER|'' SUBJECT EXTENSIONS [x509-OPTION...]
pki_issue() {
	local name=$1 issuer=$2 subject=$3 signer
	printf '%b' "$4" >"$PKI/$name.ext"
	signer=(-signkey "$PKI/$name.key")
	[[ -z $issuer ]] || signer=(-CA "$PKI/$issuer.pem" -CAkey "$PKI/$issuer.key")
	openssl req -new -key "$PKI/$name.key" -subj "$subject" -out "$PKI/$name.csr" 2>>"$RIG/log/pki" &&
		openssl x509 -req -in "$PKI/$name.csr" "${signer[@]}" -set_serial "0x$(openssl rand -hex 8 | sed 's/^./1/')" \
			-extfile "$PKI/$name.ext" -out "$PKI/$name.pem" "${@:5}" 2>>"$RIG/log/pki" ||
		die "openssl cannot issue $name: $(tail -n 3 "$RIG/log/pki")"
}

# pki_ca NAME [ISSUER] [key=KIND]
pki_ca() {
	local name=$1 issuer='' key=p256 word
	[[ -n $PKI ]] || pki_begin
	for word in "${@:2}"; do
		if [[ $word == key=* ]]; then key=${word#key=}; else issuer=$word; fi
	done
	pki_key "$key" "$PKI/$name.key"
	pki_issue "$name" "$issuer" "/C=DE/O=Example/CN=$name" \
		'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' -days 30
}

# pki_cert NAME ISSUER [key=KIND] [san=LIST] [eku=LIST] [subject=/…] [more=EXTENSIONS] [expired=1]
pki_cert() {
	local name=$1 issuer=$2 key=p256 san='' eku='' subject="/C=DE/O=Example/CN=$1" more='' expired='' pair
	local days=(-days 30)
	for pair in "${@:3}"; do
		[[ -v ${pair%%=*} ]] || die "pki_cert: unknown key ${pair%%=*}"
		printf -v "${pair%%=*}" '%s' "${pair#*=}"
	done
	[[ -z $expired ]] || days=(-not_before 20200101000000Z -not_after 20200201000000Z)
	pki_key "$key" "$PKI/$name.key"
	if [[ -n $expired ]]; then
		pki_expired "$name" "$issuer" "$subject" "${san:+subjectAltName=$san\n}${eku:+extendedKeyUsage=$eku\n}"
	else
		pki_issue "$name" "$issuer" "$subject" \
			"keyUsage=digitalSignature\n${san:+subjectAltName=$san\n}${eku:+extendedKeyUsage=$eku\n}$more" "${days[@]}"
	fi
}

# The folder of `openssl ca` for an authority.
pki_book() {
	local dir=$PKI/book-$1
	[[ -d $dir ]] && return
	mkdir -p "$dir"
	: >"$dir/index"
	echo 1000 >"$dir/crlnumber"
	cat >"$dir/conf" <<-EOT
		[ca]
		default_ca = book
		[book]
		database = $dir/index
		crlnumber = $dir/crlnumber
		new_certs_dir = $dir
		rand_serial = yes
		certificate = $PKI/$1.pem
		private_key = $PKI/$1.key
		default_md = sha256
		default_crl_days = 1
		policy = any
		[any]
		countryName = optional
		organizationName = optional
		commonName = optional
	EOT
}

pki_expired() {
	pki_book "$2"
	printf '%b' "$4" >"$PKI/$1.ext"
	openssl req -new -key "$PKI/$1.key" -subj "$3" -out "$PKI/$1.csr" 2>>"$RIG/log/pki" &&
		openssl ca -batch -notext -config "$PKI/book-$2/conf" -in "$PKI/$1.csr" -out "$PKI/$1.pem" -extfile "$PKI/$1.ext" \
			-startdate 20200101000000Z -enddate 20200201000000Z 2>>"$RIG/log/pki" ||
		die "openssl cannot issue $1: $(tail -n 3 "$RIG/log/pki")"
}

pki_revoke() {
	pki_book "$1"
	openssl ca -config "$PKI/book-$1/conf" -revoke "$PKI/$2.pem" 2>>"$RIG/log/pki" || die "openssl cannot revoke $2"
}

# pki_crl ISSUER [OPTION...]: in DER, as servers have it.
pki_crl() {
	pki_book "$1"
	openssl ca -config "$PKI/book-$1/conf" -gencrl "${@:2}" -out "$PKI/$1.crl.pem" 2>>"$RIG/log/pki" &&
		openssl crl -in "$PKI/$1.crl.pem" -outform DER -out "$PKI/$1.crl.new" && mv "$PKI/$1.crl.new" "$PKI/$1.crl" ||
		die "openssl cannot write the list of $1"
}

# pki_gateway NAME AUTHORITY [KEY=VALUE...]: gateway_start with our certificate $PKI/NAME.pem and clients of AUTHORITY. Keys:
# chain (intermediates to send), auth (remote.auth), id, psk, authority (lines of it), more (lines of `remote`), users (their
# map), others as gateway_start.
pki_gateway() {
	local name=$1 trusted=$2 chain='' auth=cert id=gw.example.org psk='' authority='' more='' users='' pair rest=() file
	for pair in "${@:3}"; do
		case ${pair%%=*} in
		chain | auth | id | psk | authority | more | users) printf -v "${pair%%=*}" '%s' "${pair#*=}" ;;
		*) rest+=("$pair") ;;
		esac
	done
	mkdir -p "$RIG/gateway"
	: >"$RIG/gateway/certs.yaml"
	for pair in $name; do
		cat "$PKI/$pair.pem" >"$RIG/gateway/$pair.pem"
		for file in $chain; do cat "$PKI/$file.pem" >>"$RIG/gateway/$pair.pem"; done
		(umask 077 && cat "$PKI/$pair.key" >"$RIG/gateway/$pair.key")
	done
	gateway_start psk="$psk" \
		top="certificates:$(for pair in $name; do printf '\n  %s: {cert: %s, key: %s}' "$pair" "$pair.pem" "$pair.key"; done)
authorities:
  $trusted: {file: $PKI/$trusted.pem${authority:+, $authority}}${users:+
users: {$users\}}" \
		local="{id: \"$id\", auth: cert, certificates: [${name// /, }]}" \
		remote_map="{auth: [$auth]$([[ $auth != *cert* && $auth != *eap-tls* ]] || printf ', authorities: [%s]' "$trusted")${more:+, $more}}" "${rest[@]}"
}

# pki_client NAME AUTHORITY [KEY=VALUE...]: client_configure with the certificate $PKI/NAME.pem. Keys: chain (intermediates to
# send), auth (of its own side, "pubkey-sha256" …), others as client_configure.
pki_client() {
	local name=$1 trusted=$2 chain='' auth=pubkey id='' pair rest=() file dir=$RIG/$CLIENT_AT/swanctl
	for pair in "${@:3}"; do
		case ${pair%%=*} in
		chain | auth | id) printf -v "${pair%%=*}" '%s' "${pair#*=}" ;;
		*) rest+=("$pair") ;;
		esac
	done
	rm -f "$dir"/x509/* "$dir"/x509ca/* "$dir"/private/*
	cp "$PKI/$name.pem" "$dir/x509/"
	cp "$PKI/$name.key" "$dir/private/"
	for file in $trusted $chain; do cp "$PKI/$file.pem" "$dir/x509ca/"; done
	client_configure auth="$auth" id="${id:-$name@example.org}" certs="$name.pem" "${rest[@]}"
}
