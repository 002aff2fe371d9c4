# shellcheck shell=bash
# Our daemon in a namespace of the rig. Needs rig.sh, and $GATEWAY_BUILD, the folder with gatewayd and gatewayctl.
#
#   gatewayd_start gateway <gateway.yaml    its folder is $RIG/gateway: config, secrets, state, control socket
#   gatewayd_ctl gateway list-sas --json
#   gatewayd_log gateway

gatewayd_start() {
	local ns=$1 dir=$RIG/$1

	[[ -x $GATEWAY_BUILD/gatewayd ]] || die "$GATEWAY_BUILD/gatewayd is missing: run 'make build'"
	mkdir -p "$dir/state"
	cat >"$dir/gateway.yaml"
	rig_start "gatewayd-$ns" "$ns" "$GATEWAY_BUILD/gatewayd" -c "$dir/gateway.yaml"
	if ! wait_for 10 "gatewayd in $ns" gatewayd_settled "$ns" || ! rig_alive "gatewayd-$ns"; then
		tail -n 20 "$RIG/log/gatewayd-$ns" >&2
		return 1
	fi
}

# Ready, or dead already.
gatewayd_settled() { gatewayd_ctl "$1" version || ! rig_alive "gatewayd-$1"; }

# False when the daemon ended other than by choice, or a sanitizer had something to say.
gatewayd_stop() {
	local ns=$1 status=0

	rig_stop "gatewayd-$ns" || status=$?
	if ((status != 0)); then
		warn "gatewayd in $ns ended with status $status"
		return 1
	fi
	if gatewayd_log "$ns" | grep -E 'runtime error:|ERROR: (Address|Leak)Sanitizer' >&2; then
		warn "a sanitizer stopped gatewayd in $ns"
		return 1
	fi
}

gatewayd_kill() { rig_stop "gatewayd-$1" KILL || true; }

gatewayd_ctl() {
	local ns=$1
	shift
	"$GATEWAY_BUILD/gatewayctl" --socket "$RIG/$ns/control.sock" "$@"
}

gatewayd_log() { cat "$RIG/log/gatewayd-$1"; }

# gatewayd_secret NS NAME TEXT: a secret file as gatewayd wants it.
gatewayd_secret() {
	mkdir -p "$RIG/$1"
	(umask 077 && printf '%s\n' "$3" >"$RIG/$1/$2")
}
