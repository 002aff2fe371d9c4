#!/usr/bin/env bash
# The kernel of the rig: User Mode Linux of a later Debian than ours, downloaded and unpacked into build/uml/, not
# installed. From version 6.16 on its processes need no ptrace (seccomp=on), which makes system calls, page faults and
# switches three times cheaper; it has timers finer than a tick, too. Says nothing when it is there.
#
# build/uml/linux, with the C library it was made for in build/uml/lib, and build/uml/modules/VERSION. Without them (no
# package registry) tests/uml/run.sh takes the package user-mode-linux that is installed: slower, but the same. That is
# also the one with iptables and NAT.

set -euo pipefail
cd "$(dirname "$0")/../.."

DEST=$PWD/build/uml
SUITE=forky
MIRROR=${UML_MIRROR:-http://deb.debian.org/debian}

[[ ! -e $DEST/complete || $0 -nt $DEST/complete ]] || exit 0
# One at a time: two guests start at once.
mkdir -p build
exec {lock}>build/uml.lock
flock "$lock"
[[ ! -e $DEST/complete || $0 -nt $DEST/complete ]] || exit 0

# In vain once an hour at most: who has no registry is not to wait for it each time.
tried=build/uml.tried
[[ $(find "$tried" -mmin -60 2>/dev/null) == '' ]] || exit 0
fallback() {
	printf 'uml: %s: for an hour the kernel of the installed package is taken\n' "$*" >&2
	rm -rf "$DEST"
	touch "$tried"
	exit 0
}
[[ $(uname -m) == x86_64 ]] || fallback 'not x86_64'
command -v patchelf >/dev/null || fallback "patchelf is not installed ('make deps')"

printf 'uml: downloading a kernel of %s\n' "$SUITE" >&2
rm -rf "$DEST"
mkdir -p "$DEST/apt/lists/partial" "$DEST/apt/cache/archives/partial" "$DEST/deb"
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$MIRROR" "$SUITE" >"$DEST/apt/sources.list"
apt=(timeout 300 apt-get -qq -o "Dir::Etc::sourcelist=$DEST/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
	-o "Dir::State::lists=$DEST/apt/lists" -o "Dir::Cache=$DEST/apt/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update >/dev/null 2>&1 || fallback "no package lists of $SUITE"
(cd "$DEST/deb" && "${apt[@]}" download user-mode-linux libc6 >/dev/null 2>&1) || fallback 'cannot be downloaded'
for deb in "$DEST"/deb/*.deb; do dpkg-deb -x "$deb" "$DEST/root" || fallback "$deb cannot be unpacked"; done
mkdir "$DEST/lib"
{ mv "$DEST/root/usr/lib/uml/modules" "$DEST/" &&
	cp "$DEST"/root/usr/lib/x86_64-linux-gnu/{ld-linux-x86-64.so.2,libc.so.6} "$DEST/lib/"; } ||
	fallback 'the packages are not as they were'
# Its C library is newer than ours; it starts itself again, so a loader in front of it will not do.
patchelf --set-interpreter "$DEST/lib/ld-linux-x86-64.so.2" --set-rpath "$DEST/lib" --output "$DEST/linux" "$DEST/root/usr/bin/linux.uml" ||
	fallback 'patchelf cannot make it run here'
"$DEST/linux" --help >/dev/null || fallback 'it does not run here'
rm -rf "$DEST/apt" "$DEST/deb" "$DEST/root"
touch "$DEST/complete"
tests/uml/run.sh -t 60 -- ip xfrm state >/dev/null 2>&1 || fallback 'it does not boot here'
rm -f "$tried"
