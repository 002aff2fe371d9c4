#!/usr/bin/env bash
# `make bench-reload`: what a reload of 1,000 connections and 10,000 users costs the daemon, and how long its loop stands
# still for it. ROUNDS (10), medians count. Writes build/bench/reload.json and the single rounds, build/bench/reload.runs.

set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
GATEWAY_BUILD=${GATEWAY_BUILD:-$TOP/build/release}
OUT=$TOP/build/bench
CONNECTIONS=1000 USERS=10000

mkdir -p "$OUT"
"$GATEWAY_BUILD/tests/load/bench-reload" "$CONNECTIONS" "$USERS" "${ROUNDS:-10}" >"$OUT/reload.runs"
jq -s --argjson floor "$("$GATEWAY_BUILD/tests/load/bench-floor")" '
	def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
	def at_most($goal): . + {goal: "<= \($goal)", met: (.value <= $goal)};
	{name: "reload", connections: .[0].conns, users: .[0].users, x25519_derivation_us: $floor.derive_us, results: [
		({measure: "from the request to its end", unit: "ms", value: (map(.ms) | median)} | at_most(100)),
		{measure: "CPU time of all threads", unit: "ms", value: (map(.cpu_ms) | median)},
		({measure: "longest turn of the loop, CPU time", unit: "us", value: (map(.longest_turn_us) | max)} | at_most(5000))
	]}' "$OUT/reload.runs" >"$OUT/reload.json"
jq -r '.results[] | [(if .met == null then "-" elif .met then "met" else "NOT MET" end), .measure, "\(.value) \(.unit)", (.goal // "")] | join("   ")' "$OUT/reload.json"
printf '%s\n' 'written: build/bench/reload.json'
