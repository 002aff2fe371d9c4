#!/usr/bin/env bash
# `make test`: builds with gcc (ASan and UBSan) and with clang, runs the unit tests and simulations, fuzzes for a while,
# and tells the interop stories, here and in User Mode Linux, whose kernel has ESP. Everything runs, also after a failure.
# Logs and summary.json go to build/test/; the last line is `N passed, N failed`, and counts every test, fuzz target,
# story and build once.
#
# FUZZ_SECONDS (24): for all targets together.

set -euo pipefail
cd "$(dirname "$0")/.."

OUT=build/test
FUZZ_SECONDS=${FUZZ_SECONDS:-24}
rm -rf "$OUT"
mkdir -p "$OUT"
: >"$OUT/steps.jsonl"
passed=0 failed=0

now_ms() {
	local up
	read -r up _ </proc/uptime
	printf '%s' "$((10#${up/./} * 10))"
}

# count STEP PASSED FAILED MS
count() {
	passed=$((passed + $2))
	failed=$((failed + $3))
	jq -cn --arg step "$1" --argjson passed "$2" --argjson failed "$3" --argjson ms "$4" \
		'{step: $step, passed: $passed, failed: $failed, seconds: ($ms / 1000)}' >>"$OUT/steps.jsonl"
	printf '== %s: %d passed, %d failed, %d s\n' "$1" "$2" "$3" "$(($4 / 1000))"
}

# build PRESET: one build counts as one test.
build() {
	local begin log=$OUT/build-$1.log
	begin=$(now_ms)
	if cmake --preset "$1" >"$log" 2>&1 && cmake --build --preset "$1" -- -k 0 >>"$log" 2>&1; then
		count "build $1" 1 0 $(($(now_ms) - begin))
	else
		grep -E -m 12 -A 4 'FAILED:|error:|CMake Error' "$log" || true
		count "build $1" 0 1 $(($(now_ms) - begin))
		return 1
	fi
}

# closing STEP MS LOG: counts what the last line `N passed, N failed` of a step's log says; without one, a failure.
closing() {
	if [[ $(tail -n 1 "$3") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		count "$1" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "$2"
	else
		count "$1" 0 1 "$2"
	fi
}

unit_tests() {
	local begin junit=$OUT/junit.xml good bad
	begin=$(now_ms)
	ctest --test-dir build/debug -j2 --timeout 120 --repeat until-pass:2 --output-on-failure --output-junit "$PWD/$junit" >"$OUT/ctest.log" 2>&1 || true
	# Real-time tests get a second try on a machine that may be busy: told, not hidden.
	sed -n 's/.*Test *#[0-9]*: \([a-z0-9_-]*\) .*\*\*\*\(Failed\|Timeout\).*/  first try of \1 failed/p' "$OUT/ctest.log"
	if [[ ! -s $junit ]]; then
		tail -n 20 "$OUT/ctest.log"
		count 'tests' 0 1 $(($(now_ms) - begin))
		return
	fi
	python3 - "$junit" "$OUT/slowest" "$OUT/counts" <<-'PYTHON'
		import sys, xml.etree.ElementTree as xml
		cases = list(xml.parse(sys.argv[1]).getroot().iter("testcase"))
		bad = [c for c in cases if c.get("status") != "run"]
		for c in bad:
		    print("FAILED", c.get("name"))
		    lines = (c.findtext("system-out") or "").splitlines()
		    if len(lines) > 30:
		        lines[15:-15] = ["..."]
		    print("\n".join("    " + line for line in lines))
		with open(sys.argv[3], "w") as out:
		    print(len(cases) - len(bad), len(bad), file=out)
		cases.sort(key=lambda c: -float(c.get("time")))
		with open(sys.argv[2], "w") as out:
		    for c in cases[:10]:
		        print("  %6.2f s  %s" % (float(c.get("time")), c.get("name")), file=out)
	PYTHON
	read -r good bad <"$OUT/counts"
	# No tests at all is no success.
	((good + bad > 0)) || bad=1
	count 'tests' "$good" "$bad" $(($(now_ms) - begin))
}

fuzz() {
	local begin
	begin=$(now_ms)
	tools/fuzz.sh "$FUZZ_SECONDS" 2>&1 | tee "$OUT/fuzz.log" | sed '$d' || true
	closing fuzz $(($(now_ms) - begin)) "$OUT/fuzz.log"
}

interop() {
	local begin
	begin=$(now_ms)
	GATEWAY_BUILD=$PWD/build/debug interop/run.sh 2>&1 | tee "$OUT/interop.log" | sed '$d' || true
	closing interop $(($(now_ms) - begin)) "$OUT/interop.log"
}

# Failover: each fault once with real processes.
failover() {
	local begin
	begin=$(now_ms)
	GATEWAY_BUILD=$PWD/build/debug interop/run.sh --ha -q 2>&1 | tee "$OUT/failover.log" | sed '$d' || true
	closing failover $(($(now_ms) - begin)) "$OUT/failover.log"
}

# The kernel's ESP in User Mode Linux, which has no room for ASan: tests of esp/, and some of the stories on both planes.
kernel_rig() {
	local begin source plane log=$OUT/build-ubsan.log tests=()
	begin=$(now_ms)
	for source in tests/esp/test_*.c; do
		source=${source##*/}
		tests+=("esp-${source%.c}")
	done
	if ! { cmake --preset ubsan && cmake --build --preset ubsan --target gatewayd gatewayctl flow_meter wire_check gw-load "${tests[@]}"; } >"$log" 2>&1; then
		grep -E -A 4 'FAILED:|error:|CMake Error' "$log" | head -n 60 || true
		count 'build ubsan' 0 1 $(($(now_ms) - begin))
		return
	fi
	count 'build ubsan' 1 0 $(($(now_ms) - begin))
	begin=$(now_ms)
	tests/uml/run.sh -t 180 -- tests/uml/suite.sh build/ubsan 2>&1 | tee "$OUT/uml.log" | sed '$d' || true
	closing 'esp in uml' $(($(now_ms) - begin)) "$OUT/uml.log"
	for plane in userspace kernel; do
		begin=$(now_ms)
		GATEWAY_BUILD=$PWD/build/ubsan interop/run.sh -q --rig uml --plane "$plane" 2>&1 | tee "$OUT/interop-$plane.log" | sed '$d' || true
		closing "interop in uml, $plane plane" $(($(now_ms) - begin)) "$OUT/interop-$plane.log"
	done
	begin=$(now_ms)
	GATEWAY_BUILD=$PWD/build/ubsan interop/run.sh --ha -q -j 1 --rig uml --plane kernel 2>&1 | tee "$OUT/failover-kernel.log" | sed '$d' || true
	closing 'failover in uml, kernel plane' $(($(now_ms) - begin)) "$OUT/failover-kernel.log"
}

begin=$(now_ms)
if build debug; then
	unit_tests
	interop
	failover
fi
kernel_rig
if build fuzz; then
	fuzz
fi
elapsed=$((($(now_ms) - begin) / 1000))

if [[ -s $OUT/slowest ]]; then
	printf 'slowest:\n'
	cat "$OUT/slowest"
fi
jq -s --argjson passed "$passed" --argjson failed "$failed" --argjson seconds "$elapsed" \
	'{name: "test", passed: $passed, failed: $failed, seconds: $seconds, steps: .}' "$OUT/steps.jsonl" >"$OUT/summary.json"
printf 'logs in %s, %d s in all\n' "$OUT" "$elapsed"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
