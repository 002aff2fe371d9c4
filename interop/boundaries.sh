# shellcheck shell=bash
# Stories in which node a is killed at each boundary of a message on its way out, one after the other, while something goes
# on: before the record is written to the standby, then when it is, when it is acknowledged, and when the message has left.
# Each time node b finishes what a began, then a is active again. Needs pair.sh, and a build with fault points (presets debug
# and ubsan).
#
#   boundaries_pair MESSAGE              the pair; MESSAGE: of --list-faults (IKE_AUTH, REKEY_CHILD, ...)
#   boundaries MESSAGE COMMAND...        COMMAND once for each place, which BOUNDARY names
#   boundary_story MESSAGE COMMAND...    both, with a client that has a tunnel
#
# and the commands that several stories have: connect, renew_by client|gateway child|ike. The message of a request of our own
# that died with the node before anybody knew of it did not happen: then nothing need have changed.

BOUNDARIES=(before-replicate replicated acknowledged sent)

boundaries_pair() {
	local place list=''

	"$GATEWAY_BUILD/gatewayd" --list-faults | grep -q "^sent/$1\$" || fail "this build has no fault point sent/$1"
	# The N-th of these messages only: where a client sends several of them.
	for place in "${BOUNDARIES[@]}"; do list+=${list:+,}$place/$1:${BOUNDARY_COUNT:-1}:kill; done
	node_start a GATEWAY_FAULT="$list" || fail 'node a did not start'
	node_start b || fail 'node b did not start'
	expect_synced
}

boundaries() {
	local message=$1
	shift
	for BOUNDARY in "${BOUNDARIES[@]}"; do
		expect_synced
		node_is a active || node_ctl b ha switchover >/dev/null || fail 'b did not hand over to a'
		expect_role a active
		expect_synced
		"$@" || fail "killed at $BOUNDARY/$message: $*"
		expect_eventually 10 "node a killed at $BOUNDARY/$message" boundary_reached "$BOUNDARY/$message"
		expect_synced
		wait_for 5 'one IKE SA at the client' client_has ike 1 || fail "killed at $BOUNDARY/$message: the client has $(client_count ike) IKE SAs"
		expect_flow v4 v6
	done
	# No error at the client either.
	expect_no_log client '[^e] failed|unable|INVALID|NO_PROPOSAL|peer not responding|giving up'
}
boundary_reached() { grep -q "fault: $1: kill" "$RIG/log/gatewayd-a"; }

boundary_story() {
	boundaries_pair "$1"
	client_start
	client_configure
	expect_up
	boundaries "$@"
}

# ---- what goes on ----

# Anew each time; CONFIGURE: how.
connect() {
	[[ $(client_count ike) == 0 ]] || client_down
	${CONFIGURE:-client_configure}
	client_up && client_has child 1
}

# renew_by client|gateway child|ike: there is another one within some seconds, and only that one.
renew_by() {
	local of=ike before
	[[ $2 == ike ]] || of=in
	before=$(client_spi "$of")
	"$1_rekey" "$2" 2>/dev/null || true
	wait_for 12 "another SPI ($of) at the client" boundary_renewed "$of" "$before" || { [[ $1 == gateway && $BOUNDARY == before-replicate ]] && return; }
	wait_for 5 "one $2 SA at the client" client_has "$2" 1
}
boundary_renewed() { [[ $(client_spi "$1") != "$2" && -n $(client_spi "$1") ]]; }
