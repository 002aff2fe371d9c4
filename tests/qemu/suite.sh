#!/usr/bin/env bash
# What `make interop` runs in qemu besides stories: those tests of esp/ that say most of the kernel, under ASan on the
# real XFRM, with nft and XFRM interfaces. The last line is `N passed, N failed`.

set -euo pipefail
cd "$(dirname "$0")/../.."
export KERNEL_PLANE=1 SUITE_SECONDS=600
exec tests/qemu/run.sh -t 1800 -- tests/uml/suite.sh build/debug esp-test_xfrm esp-test_xfrm_fence esp-test_xfrm_policy esp-test_xfrm_link esp-test_conformance esp-test_conformance_numbers esp-test_clamp esp-test_route
