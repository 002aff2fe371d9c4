#!/usr/bin/env bash
# Tells the stories in interop/cases/ with a real peer, some at a time, and writes build/interop/results.json.
#
#   interop/run.sh [-j N] [-d] [CASE...]      all cases when none is named; -d: also writes docs/interop.md
#
# Surroundings: GATEWAY_BUILD, GATEWAY, CLIENT as interop/lib.sh explains them. What a failed story left behind stands in
# build/interop/log/CASE/. The last line is `N passed, N failed`; the status is 0 when none failed.

set -euo pipefail
cd "$(dirname "$0")/.."
. tests/rig/rig.sh
. tests/rig/charon.sh

OUT=$RIG_TOP/build/interop
CASE_SECONDS=60

# One story, in a process of its own: a line on the terminal, and one in the results.
tell() {
	local name=$1 begin ms status=0 why
	begin=$(now_ms)
	timeout -k 10 "$CASE_SECONDS" "interop/cases/$name.sh" >"$OUT/log/$name.out" 2>&1 </dev/null || status=$?
	ms=$(($(now_ms) - begin))
	why=$(tail -n 1 "$OUT/log/$name.out")
	((status == 124 || status == 137)) && why="did not end within $CASE_SECONDS s"
	if ((status == 0)); then
		printf '  ok      %-26s %5d ms\n' "$name" "$ms"
	else
		printf '  FAILED  %-26s %5d ms  %s\n' "$name" "$ms" "${why:-status $status}"
	fi
	jq -cn --arg case "$name" --arg client "$CLIENT_NAME" --arg gateway "$GATEWAY" --argjson ms "$ms" --argjson status "$status" \
		--arg why "${why:-status $status}" '{case: $case, plane: "userspace", client: $client, gateway: $gateway,
		passed: ($status == 0), seconds: ($ms / 1000)} + if $status == 0 then {} else {why: $why} end' >"$OUT/part/$name"
}

if [[ ${1:-} == --tell ]]; then
	tell "$2"
	exit 0
fi

jobs=2 docs=
while getopts j:d option; do
	case $option in
	j) jobs=$OPTARG ;;
	d) docs=docs/interop.md ;;
	*) RIG_STATUS=2 die 'usage: interop/run.sh [-j N] [-d] [CASE...]' ;;
	esac
done
shift $((OPTIND - 1))
if (($# == 0)); then
	set -- interop/cases/*.sh
fi
cases=()
for name in "$@"; do
	name=$(basename "$name" .sh)
	[[ -x interop/cases/$name.sh ]] || RIG_STATUS=2 die "no case $name in interop/cases"
	cases+=("$name")
done

rig_require jq swanctl unshare timeout
[[ -x /usr/lib/ipsec/charon ]] || die "strongSwan's charon is not installed: run 'make deps'"
rm -rf "$OUT/log" "$OUT/part"
mkdir -p "$OUT/log" "$OUT/part"
CLIENT_NAME="strongSwan $(charon_version)"
STORY_LOGS=$OUT/log
GATEWAY=${GATEWAY:-gatewayd}
export CLIENT_NAME STORY_LOGS GATEWAY

printf 'interop: %d stories, client %s, gateway %s\n' "${#cases[@]}" "$CLIENT_NAME" "$GATEWAY"
printf '%s\n' "${cases[@]}" | xargs -P "$jobs" -I{} "$0" --tell {}

jq -s '{name: "interop", results: .}' "$OUT"/part/* >"$OUT/results.json"
passed=$(jq '[.results[] | select(.passed)] | length' "$OUT/results.json")
failed=$((${#cases[@]} - passed))

# The stories with their own words, as a page.
# shellcheck disable=SC2016
write_docs() {
	local name story
	printf '# Interoperability\n\nWritten by `make interop`: the stories in `interop/cases/`, told with the real peer, and whether they came true.\n\n'
	printf '| story | %s, userspace plane |\n|---|---|\n' "$CLIENT_NAME"
	for name in "${cases[@]}"; do
		story=$(sed -n "s/^story '\(.*\)'$/\1/p" "interop/cases/$name.sh")
		printf '| `%s`: %s | %s |\n' "$name" "$story" "$(jq -r 'if .passed then "yes" else "**no**: " + .why end' "$OUT/part/$name")"
	done
}
[[ -z $docs ]] || write_docs >"$docs"

((failed == 0)) || printf 'what failed stories left behind: build/interop/log/\n'
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
