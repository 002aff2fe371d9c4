#!/usr/bin/env bash
# `make soak MINUTES=n`: plays the simulations with random seeds until time is up, two at a time, and goes on after a
# failure. Each run is one test program with SIM_FROM set to a random number: all its seeds are moved by that. SOAK_BUILD
# (build/debug) is where the programs are.
#
# `make soak SEEDS=100`: instead the hours of everything at once, SIM_HOURS (100) of each of that many seeds from 1 on.
#
# The last line is `N runs, N failed`; failures are told with what plays them again, their output is in build/soak/.

set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:?usage: soak.sh MINUTES [SUITE...]}
shift
JOBS=2
OUT=build/soak

# hours SEED: of a hundred hours of everything at once. A log stays of a seed that fails.
hours() {
	local log=$OUT/hours-$1.log
	if SIM_SEED=$1 CK_FORK=no CK_DEFAULT_TIMEOUT=7200 "${SOAK_BUILD:-build/release}/tests/sim-test_hours" >"$log" 2>&1 </dev/null; then
		rm -f "$log"
		return
	fi
	printf '  FAILED  SIM_SEED=%d SIM_HOURS=%d (%s)\n' "$1" "$SIM_HOURS" "$log"
	grep -m 3 -E 'seed [0-9]+:' "$log" || true
}
if [[ -n ${SEEDS:-} ]]; then
	export SIM_HOURS=${SIM_HOURS:-100} OUT
	export -f hours
	rm -rf "$OUT"
	mkdir -p "$OUT"
	seq "$SEEDS" | xargs -P "$JOBS" -I{} bash -c 'hours {}'
	failed=$(find "$OUT" -name 'hours-*.log' | wc -l)
	jq -n --argjson runs "$SEEDS" --argjson failed "$failed" --argjson hours "$SIM_HOURS" \
		'{name: "soak", runs: $runs, failed: $failed, hours_each: $hours}' >"$OUT/summary.json"
	printf '%d seeds of %d hours, %d failed\n' "$SEEDS" "$SIM_HOURS" "$failed"
	exit $((failed > 0))
fi
[[ $minutes =~ ^[0-9]+$ ]] && ((minutes > 0)) || { echo "soak: minutes, please" >&2; exit 2; }
BIN=${SOAK_BUILD:-build/debug}/tests
rm -rf "$OUT"
mkdir -p "$OUT"
if (($# == 0)); then
	for program in "$BIN"/sim-test_*; do
		[[ -x $program && ! -d $program ]] && set -- "$@" "${program##*/}"
	done
fi
(($# > 0)) || { echo "soak: no simulations in $BIN" >&2; exit 2; }

# play SUITE FROM LOG: a line of the journal.
play() {
	local status=0
	SIM_FROM=$2 SIM_ALL=1 CK_FORK=no CK_DEFAULT_TIMEOUT=900 timeout -k 5 1000 "$BIN/$1" >"$3" 2>&1 </dev/null || status=$?
	if ((status == 0)); then
		rm -f "$3"
	else
		printf '  FAILED  SIM_FROM=%s %s (%s)\n' "$2" "$BIN/$1" "$3"
		grep -m 5 -E 'seed [0-9]+:|SIM_SEED=' "$3" | sed 's/^/    /' || true
	fi
	printf '%s %s %s\n' "$1" "$2" "$status" >>"$OUT/runs"
}

: >"$OUT/runs"
end=$((EPOCHSECONDS + minutes * 60))
suites=("$@") n=0
while ((EPOCHSECONDS < end)); do
	suite=${suites[n % ${#suites[@]}]}
	from=$(((RANDOM << 30 | RANDOM << 15 | RANDOM) & 0x7fffffff))
	n=$((n + 1))
	play "$suite" "$from" "$OUT/$suite-$from.log" &
	while (($(jobs -rp | wc -l) >= JOBS)); do wait -n || true; done
done
wait || true
failed=$(awk '$3 != 0' "$OUT/runs" | wc -l)
total=$(wc -l <"$OUT/runs")
jq -n --argjson runs "$total" --argjson failed "$failed" --argjson minutes "$minutes" \
	'{name: "soak", runs: $runs, failed: $failed, minutes: $minutes}' >"$OUT/summary.json"
printf '%d runs, %d failed\n' "$total" "$failed"
((failed == 0))
