#!/usr/bin/env bash
# What the project needs, as Debian 12 packages. Installs what is missing, says nothing when nothing is.
#
#   tools/deps.sh            install what is missing (root), or say in one line what is
#   tools/deps.sh --check    only say
#   tools/deps.sh interop    also what `make interop` alone needs: qemu (200 MB)

set -euo pipefail

PACKAGES=(
	# to build
	build-essential cmake ninja-build pkg-config ccache
	libssl-dev libevent-dev libyaml-dev libjansson-dev libmnl-dev libcap-ng-dev libseccomp-dev uthash-dev
	# to test: units, fuzzing, layout
	check clang libclang-rt-14-dev clang-format valgrind
	# the real client and its surroundings: demo, interop, benchmarks
	strongswan-charon charon-systemd strongswan-swanctl strongswan-pki libcharon-extra-plugins libcharon-extauth-plugins
	libstrongswan-standard-plugins libstrongswan-extra-plugins
	iproute2 iputils-ping procps util-linux nftables iptables tcpdump tshark curl iperf3 jq python3 gnuplot-nox
	# who else has a say in who is active, and in where packets go; states of NAT for both nodes
	keepalived bird2 conntrackd conntrack
	# a kernel with ESP, whatever this one has
	user-mode-linux patchelf kmod
)
# A machine for Debian's own kernel, which tests/qemu/kernel.sh downloads.
INTEROP=(qemu-system-x86 busybox-static cpio)
if [[ ${1:-} == interop ]]; then
	PACKAGES+=("${INTEROP[@]}")
	shift
fi

if ! command -v dpkg-query >/dev/null; then
	printf 'note: not a Debian system, nothing is checked; needed is the like of: %s\n' "${PACKAGES[*]}" >&2
	exit 0
fi

missing=()
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${PACKAGES[@]}" 2>/dev/null || true)
for package in "${PACKAGES[@]}"; do
	grep -qx "ii  *$package" <<<"$installed" || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0

if [[ ${1:-} == --check ]]; then
	printf 'missing packages: %s\n' "${missing[*]}" >&2
	exit 1
fi
if ((EUID != 0)); then
	printf 'error: missing packages, and only root can install them: sudo apt-get install %s\n' "${missing[*]}" >&2
	exit 1
fi

printf 'installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# strongSwan's packages would start an IKE daemon on this machine; we only want the programs.
policy=/usr/sbin/policy-rc.d
if [[ -e $policy ]]; then
	trap 'rm -f "$log"' EXIT
else
	trap 'rm -f "$log" "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
fi
# --no-remove: strongSwan and Libreswan exclude each other, and whatever is on the machine stays.
install() { apt-get install --yes --no-remove --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" >"$log" 2>&1; }
# A stale or empty index is the usual reason for a first failure.
if ! install && ! { apt-get update >"$log" 2>&1 && install; }; then
	tail -n 20 "$log" >&2
	printf 'error: apt-get could not install: %s\n' "${missing[*]}" >&2
	exit 1
fi
