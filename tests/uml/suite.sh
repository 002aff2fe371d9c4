#!/usr/bin/env bash
# What `make test` runs in the guest besides the interop stories: the tests of esp/ against the kernel's own ESP.
#
#   tests/uml/run.sh -- tests/uml/suite.sh BUILD [NAME...]     a build without ASan; names of tests, all of esp/ if none
#
# The last line is `N passed, N failed`.

set -euo pipefail
build=${1:?usage: suite.sh BUILD [NAME...]}
shift
if (($# == 0)); then
	for test in "$build"/tests/esp-test_*; do set -- "$@" "${test##*/}"; done
fi
passed=0 failed=0
# Of one test program; tests/qemu is slow.
seconds=${SUITE_SECONDS:-100}
for name in "$@"; do
	status=0
	begin=${EPOCHREALTIME/./}
	# Real time on a machine that may be busy: a second try counts, as on the host.
	for _ in 1 2; do
		status=0
		text=$(CK_FORK=no CK_DEFAULT_TIMEOUT=$seconds timeout -k 2 $((seconds + 20)) "$build/tests/$name" 2>&1 </dev/null) || status=$?
		((status != 0)) || break
	done
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	if ((status == 0)); then
		passed=$((passed + 1))
		printf '  ok      %-26s %5d ms\n' "$name" "$ms"
	else
		failed=$((failed + 1))
		printf '  FAILED  %-26s %5d ms  status %d\n' "$name" "$ms" "$status"
		tail -n 30 <<<"$text" | sed 's/^/    /'
	fi
done
# No tests at all is no success.
((passed + failed > 0)) || failed=1
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
