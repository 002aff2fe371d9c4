#!/usr/bin/env bash
# Peers whose Debian packages cannot stand beside strongSwan's: downloaded and unpacked into build/peers/, not installed.
#
#   tools/peers.sh libreswan|openiked

set -euo pipefail
cd "$(dirname "$0")/.."

# What each is made of: its own package, and those of its libraries and tools that nothing else here brings.
libreswan=(libreswan libldns3 libnss3-tools libnss3 libnspr4 libcurl3-nss libunbound8 libevent-pthreads-2.1-7)
openiked=(openiked)

peer=${1:?usage: tools/peers.sh NAME}
[[ $peer =~ ^(libreswan|openiked)$ ]] || { printf 'no such peer: %s\n' "$peer" >&2; exit 2; }
declare -n packages=$peer
dest=build/peers/$peer
[[ ! -e $dest/complete ]] || exit 0
rm -rf "$dest"
mkdir -p "$dest/deb" "$dest/root"
printf 'downloading %d packages for %s\n' "${#packages[@]}" "$peer"
(cd "$dest/deb" && apt-get download -q "${packages[@]}" >/dev/null 2>&1) || {
	printf 'cannot download them: no package registry, or no lists (apt-get update)\n' >&2
	exit 1
}
for deb in "$dest"/deb/*.deb; do dpkg-deb -x "$deb" "$dest/root"; done
rm -rf "$dest/deb"
touch "$dest/complete"
