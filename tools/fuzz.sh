#!/usr/bin/env bash
# Runs the fuzz targets of build/fuzz, two at a time, for SECONDS of wall time in all, shared evenly.
#
#   tools/fuzz.sh SECONDS [TARGET...]     targets by noun: message config ...
#
# Corpora grow in build/fuzz/corpus/NOUN, from the seeds in tests/fuzz/seeds/NOUN; what ends a target is kept in
# build/fuzz/crash/. The last line is `N passed, N failed`.

set -euo pipefail
cd "$(dirname "$0")/.."

BIN=build/fuzz/tests CORPUS=build/fuzz/corpus CRASH=build/fuzz/crash LOG=build/fuzz/log

if [[ ${1:-} == --one ]]; then
	noun=$2 seconds=$3
	mkdir -p "$CORPUS/$noun"
	folders=("$CORPUS/$noun")
	[[ ! -d tests/fuzz/seeds/$noun ]] || folders+=("tests/fuzz/seeds/$noun")
	dict=()
	[[ ! -f tests/fuzz/$noun.dict ]] || dict=("-dict=tests/fuzz/$noun.dict")
	status=0
	"$BIN/fuzz_$noun" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$CRASH/$noun-" "${dict[@]}" "${folders[@]}" >"$LOG/$noun" 2>&1 || status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$LOG/$noun")
	if ((status == 0)); then
		printf '  ok      %-14s %9s runs\n' "$noun" "$runs"
	else
		printf '  FAILED  %-14s %s\n' "$noun" "$(grep -m 1 -E '^SUMMARY|ERROR:' "$LOG/$noun" || tail -n 1 "$LOG/$noun")"
		touch "$LOG/$noun.failed"
	fi
	exit 0
fi

total=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift
if (($# == 0)); then
	for target in "$BIN"/fuzz_*; do
		[[ -x $target && -f $target ]] && set -- "$@" "${target##*/fuzz_}"
	done
fi
(($# > 0)) || {
	printf 'error: no fuzz targets in %s\n' "$BIN" >&2
	exit 1
}
rm -rf "$LOG"
mkdir -p "$CORPUS" "$CRASH" "$LOG"
# Rounds of two at a time; at least two seconds each, else starting costs more than it finds.
slice=$((total / (($# + 1) / 2)))
((slice >= 2)) || slice=2
printf 'fuzz: %d targets, %d s each\n' "$#" "$slice"
printf '%s\n' "$@" | xargs -P 2 -I{} "$0" --one {} "$slice"
failed=$(find "$LOG" -name '*.failed' | wc -l)
printf '%d passed, %d failed\n' "$(($# - failed))" "$failed"
((failed == 0))
