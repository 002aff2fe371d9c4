#!/usr/bin/env bash
# Tells the stories in interop/cases/ with a real peer, some at a time, and writes build/interop/results.json.
#
#   interop/run.sh [--ha] [-j N] [-d|-D] [-q] [--rig host|uml|qemu] [--plane userspace|kernel] [CASE...]
#
# --ha: the stories of failover in interop/ha/ instead, told with a pair of gateways (interop/pair.sh).
# All cases when none is named; -q: of these only the ones marked `# quick`. -d: also writes docs/interop.md, from all runs
# whose results are in build/interop; -D: does only that.
# --rig host (default): on this machine, with strongSwan's kernel-libipsec. --rig uml: in one User Mode Linux, whose
# kernel has ESP, with kernel-netlink (tests/uml; RIG=host: here, for a host whose own kernel has it), and with the
# stories that need it. --rig qemu: in qemu (tests/qemu), which has nft and XFRM interfaces besides, with ASan; of all cases
# the ones marked `# qemu`. --plane: gatewayd's.
#
# Surroundings: GATEWAY_BUILD, GATEWAY, CLIENT as interop/lib.sh explains them. What a failed story left behind stands in
# build/interop/RIG-PLANE/log/CASE/ (ha-RIG-PLANE). The last line is `N passed, N failed`; the status is 0 when none failed.

set -euo pipefail
cd "$(dirname "$0")/.."
. tests/rig/rig.sh
. tests/rig/charon.sh

CASE_SECONDS=${CASE_SECONDS:-60}
UML_CASE_SECONDS=${UML_CASE_SECONDS:-90} # of a guest's time, on average

# One story, in a process of its own: a line on the terminal, and one in the results.
tell() {
	local name=$1 begin ms status=0 why again='' own
	own=$(sed -n 's/^# seconds \([0-9]*\)$/\1/p' "$STORIES/$name.sh")
	((${own:-0} <= CASE_SECONDS)) || CASE_SECONDS=$own
	begin=$(now_ms)
	timeout -k 10 "$CASE_SECONDS" "$STORIES/$name.sh" >"$OUT/log/$name.out" 2>&1 </dev/null || status=$?
	# Real time and real peers on a machine that may be busy: a second try counts, and is told.
	if ((status != 0)); then
		again=" (second try; first: $(tail -n 1 "$OUT/log/$name.out"))"
		mv "$OUT/log/$name.out" "$OUT/log/$name.first.out"
		status=0
		timeout -k 10 "$CASE_SECONDS" "$STORIES/$name.sh" >"$OUT/log/$name.out" 2>&1 </dev/null || status=$?
	fi
	ms=$(($(now_ms) - begin))
	why=$(tail -n 1 "$OUT/log/$name.out")
	((status == 124 || status == 137)) && why="did not end within $CASE_SECONDS s"
	if ((status == 0)); then
		printf '  ok      %-26s %5d ms%s\n' "$name" "$ms" "$again"
	else
		printf '  FAILED  %-26s %5d ms  %s\n' "$name" "$ms" "${why:-status $status}"
	fi
	case $(sed -n 's/^CLIENT=//p' "$STORIES/$name.sh") in
	libreswan) CLIENT_NAME=Libreswan ;;
	openiked) CLIENT_NAME=OpenIKED ;;
	esac
	jq -cn --arg case "$name" --arg client "$CLIENT_NAME" --arg gateway "$GATEWAY" --arg plane "$GATEWAY_PLANE" --arg rig "$rig" \
		--argjson ms "$ms" --argjson status "$status" --arg why "${why:-status $status}" --arg again "$again" '{case: $case, plane: $plane, rig: $rig,
		client: $client, gateway: $gateway, passed: ($status == 0), seconds: ($ms / 1000)} +
		if $again == "" then {} else {second_try: true} end +
		if $status == 0 then {} else {why: $why} end' >"$OUT/part/$name"
}

usage() { RIG_STATUS=2 die 'usage: interop/run.sh [--ha] [-j N] [-d|-D] [-q] [--rig host|uml|qemu] [--plane userspace|kernel] [CASE...]'; }

if [[ ${1:-} == --tell ]]; then
	rig=$STORY_RIG OUT=$STORY_OUT STORIES=$STORY_FROM
	tell "$2"
	exit 0
fi

STORIES=interop/cases jobs=2 docs='' rig=host plane=userspace inside='' quick='' pair='' page=''
while (($# > 0)); do
	case $1 in
	-j | --rig | --plane)
		(($# > 1)) || usage
		case $1 in
		-j) jobs=$2 ;;
		--rig) rig=$2 ;;
		--plane) plane=$2 ;;
		esac
		shift
		;;
	-d) docs=docs/interop.md ;;
	-D) page=yes ;;
	-q) quick=yes ;;
	--ha) STORIES=interop/ha pair=ha- ;;
	--inside) inside=yes ;; # we are in the guest already
	-*) usage ;;
	*) break ;;
	esac
	shift
done
[[ $rig =~ ^(host|uml|qemu)$ && $plane =~ ^(userspace|kernel)$ ]] || usage
[[ $rig == host ]] || CHARON_ESP=kernel
named=${1:-}
(($# > 0)) || set -- "$STORIES"/*.sh
# What there is, as the stories' `# needs` say it: a client with the kernel's ESP, gatewayd with it, nft for IP, XFRM
# interfaces, iptables.
case $rig in
host) has='nft iptables' ;;
uml) has='esp iptables' ;;
qemu) has='esp nft interfaces iptables' ;;
esac
[[ $CHARON_ESP != kernel ]] || has+=' esp'
[[ $plane != kernel ]] || has+=' kernel'
rig_has_all() {
	local need
	for need in $(sed -n 's/^# needs //p' "$STORIES/$1.sh"); do
		[[ " $has " == *" $need "* ]] || return 1
	done
}
cases=()
for name in "$@"; do
	name=$(basename "$name" .sh)
	[[ -x $STORIES/$name.sh ]] || RIG_STATUS=2 die "no case $name in $STORIES"
	rig_has_all "$name" || continue
	# Slow: what no other rig can tell, and a few of the others.
	[[ $rig != qemu || -n $named ]] || grep -q '^# qemu$' "$STORIES/$name.sh" || continue
	[[ -z $quick ]] || grep -q '^# quick$' "$STORIES/$name.sh" || continue
	cases+=("$name")
done
OUT=$RIG_TOP/build/interop/$pair$rig-$plane

tell_all() {
	rig_require jq swanctl unshare timeout
	[[ -x /usr/lib/ipsec/charon ]] || die "strongSwan's charon is not installed: run 'make deps'"
	CLIENT_NAME="strongSwan $(charon_version)"
	STORY_LOGS=$OUT/log STORY_RIG=$rig STORY_OUT=$OUT STORY_FROM=$STORIES GATEWAY=${GATEWAY:-gatewayd} GATEWAY_PLANE=$plane
	export CLIENT_NAME STORY_LOGS STORY_RIG STORY_OUT STORY_FROM GATEWAY GATEWAY_PLANE CHARON_ESP
	printf 'interop: %d stories, client %s, gateway %s, %s plane, rig %s\n' "${#cases[@]}" "$CLIENT_NAME" "$GATEWAY" "$plane" "$rig"
	printf '%s\n' "${cases[@]}" | xargs -P "$jobs" -I{} "$0" --tell {}
}

if [[ -n $inside ]]; then
	tell_all
	exit 0
fi
# The stories with their own words, as a page, with a column for each rig and plane that has results.
# write_table FOLDER PREFIX-OF-RESULTS
write_table() {
	local name story run runs=() row file
	for run in host-userspace uml-userspace uml-kernel qemu-kernel; do
		[[ -d build/interop/$2$run/part ]] && runs+=("$run")
	done
	((${#runs[@]} > 0)) || return 0
	printf '\n| story |'
	for run in "${runs[@]}"; do
		case $run in
		host-*) printf ' kernel-libipsec, %s |' "${run#*-}" ;;
		uml-*) printf ' kernel-netlink, %s |' "${run#*-}" ;;
		qemu-*) printf ' kernel-netlink, %s, in qemu with ASan |' "${run#*-}" ;;
		esac
	done
	printf '\n|---|'
	printf -- '---|%.0s' "${runs[@]}"
	printf '\n'
	for name in "$1"/*.sh; do
		name=$(basename "$name" .sh)
		story=$(sed -n "s/^story '\(.*\)'$/\1/p" "$1/$name.sh")
		row=
		for run in "${runs[@]}"; do
			file=build/interop/$2$run/part/$name
			if [[ -e $file ]]; then
				row+=" $(jq -r 'if .passed then "yes" else "**no**: " + .why end' "$file") |"
			else
				row+=' |'
			fi
		done
		printf '| `%s`: %s |%s\n' "$name" "$story" "$row"
	done
}
# shellcheck disable=SC2016
write_docs() {
	printf '# Interoperability\n\nWritten by `make interop`: the stories in `interop/cases/`, told with strongSwan %s, and whether they came true.\n' \
		"$(charon_version)"
	printf 'A column names the client'\''s plugin for ESP and the plane of gatewayd. Empty: not told there, mostly since the story\n'
	printf 'needs what that rig does not have.\n'
	write_table interop/cases ''
	printf '\n## Failover\n\nThe stories in `interop/ha/`, with a pair of gateways. Each ends with a look at the client'\''s log, at its packets, and\n'
	printf 'at a capture of its road, on which no sequence number and no nonce may have been used twice.\n'
	write_table interop/ha ha-
}
if [[ -n $page ]]; then
	write_docs >docs/interop.md
	exit 0
fi

rm -rf "$OUT"
mkdir -p "$OUT/log" "$OUT/part"
case $rig in
host) tell_all ;;
qemu)
	# ASan has room there; everything takes its time.
	export GATEWAY_BUILD=${GATEWAY_BUILD:-$RIG_TOP/build/debug} CASE_SECONDS=$((CASE_SECONDS * 5)) RIG_PATIENCE=12
	tests/qemu/run.sh -t $((120 + ${#cases[@]} * 120)) -- \
		"$RIG_TOP/interop/run.sh" --inside -j 1 --rig qemu --plane "$plane" "${cases[@]}" || true
	;;
uml)
	# A guest has one processor, so there are two, each with every other story. One that dies, or is too slow in all,
	# has told fewer stories, which counts below. iptables and NAT are only in the kernel of the installed package.
	export GATEWAY_BUILD=${GATEWAY_BUILD:-$RIG_TOP/build/ubsan} CASE_SECONDS=$((CASE_SECONDS * 3)) RIG_PATIENCE=${RIG_PATIENCE:-2}
	[[ ${RIG:-uml} == host ]] || tests/uml/kernel.sh
	# tell_in HALF KERNEL STORY...: in a guest with that kernel.
	tell_in() {
		local half=$1 kernel=$2 name own limit=120
		shift 2
		(($# > 0)) || return 0
		for name in "$@"; do
			own=$(sed -n 's/^# seconds \([0-9]*\)$/\1/p' "$STORIES/$name.sh")
			limit=$((limit + (${own:-0} > UML_CASE_SECONDS ? own : UML_CASE_SECONDS)))
		done
		UML_PROCESSOR=$half UML_KERNEL=$kernel RIG_UML=$([[ ${RIG:-uml} == host ]] || echo yes) tests/uml/run.sh -m 2G \
			-t "$limit" -- "$RIG_TOP/interop/run.sh" --inside ${pair:+--ha} -j "$jobs" --rig uml --plane "$plane" "$@" || true
	}
	plain=() filtered=()
	for name in "${cases[@]}"; do
		if grep -q '^# needs iptables$' "$STORIES/$name.sh"; then filtered+=("$name"); else plain+=("$name"); fi
	done
	guests=()
	for half in 0 1; do
		mine=() old=()
		for ((i = half; i < ${#plain[@]}; i += 2)); do mine+=("${plain[i]}"); done
		for ((i = half; i < ${#filtered[@]}; i += 2)); do old+=("${filtered[i]}"); done
		{
			tell_in "$half" newer "${mine[@]}"
			tell_in "$half" installed "${old[@]}"
		} &
		guests+=($!)
	done
	# Ctrl-C ends them too: they are in our group.
	for guest in "${guests[@]}"; do wait "$guest" || true; done
	;;
esac

find build/interop -path '*/part/*' -type f -exec cat {} + | jq -s '{name: "interop", results: .}' >build/interop/results.json
passed=$(find "$OUT/part" -type f -exec cat {} + | jq -s 'map(select(.passed)) | length')
failed=$((${#cases[@]} - passed))

[[ -z $docs ]] || write_docs >"$docs"

((failed == 0)) || printf 'what failed stories left behind: build/interop/%s%s-%s/log/\n' "$pair" "$rig" "$plane"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
