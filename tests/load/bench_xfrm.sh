#!/usr/bin/env bash
# `make bench-xfrm`: tunnels a second that the kernel plane installs, updates and removes, beside a bare loop over the same
# messages. In User Mode Linux, whose kernel has ESP; RIG=host on a host whose own kernel has it (as root, in a network
# namespace of its own). Writes build/bench/xfrm.json.

set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$TOP/build/release}
OUT=$TOP/build/bench
mkdir -p "$OUT"
"$TOP/tests/uml/run.sh" -t "${SECONDS_MAX:-600}" -m 4G -w "$OUT" -- "$BUILD/tests/load/bench-xfrm" "$OUT/xfrm.json"
echo "results: build/bench/xfrm.json"
