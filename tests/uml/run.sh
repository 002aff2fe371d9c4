#!/usr/bin/env bash
# Runs a command on a kernel that has ESP: Debian's User Mode Linux (kernel.sh) over this machine's own files, as root, with
# network namespaces of its own. Takes about two seconds more than the command.
#
#   tests/uml/run.sh [-t SECONDS] [-m MEMORY] [-w DIR]... -- COMMAND...
#   tests/uml/run.sh [-m MEMORY] [-w DIR]... --shell
#
# -t: time limit (120); -m: memory (1G; the host gives only what is touched); -w: a folder that the command may write
# to; the repository's build/ is one. Everything else is copied on write and forgotten at the end. The command begins in
# the present folder with the present environment. Its output streams to standard output; the status is its own, 124
# after the time limit, 125 when the guest died.
#
# No ASan or TSan inside (the address space is too small for them): use the presets `ubsan` and `release`.
# UML_KERNEL=installed: the kernel of the installed package, not the newer one of kernel.sh.
# UML_PROCESSOR: which of the processors that we may use takes the guest, counted from 0 (one of them).
# RIG=host runs the command here and now, for a host whose own kernel has ESP.

set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)

die() {
	printf 'uml: %s\n' "$*" >&2
	exit 2
}

# processors: those that we may run on, a line each.
processors() {
	local range
	for range in $(taskset -cp $$ | sed 's/.*: //; s/,/ /g'); do
		seq "${range%-*}" "${range#*-}"
	done
}

seconds=120 memory=1G shell='' writable=("$TOP/build")
while (($# > 0)); do
	case $1 in
	-t) seconds=${2:?} && shift 2 ;;
	-m) memory=${2:?} && shift 2 ;;
	-w) writable+=("$(readlink -f "${2:?}")") && shift 2 ;;
	--shell) shell=yes && shift ;;
	--) shift && break ;;
	-*) die "unknown option $1" ;;
	*) break ;;
	esac
done
if [[ -n $shell ]]; then
	(($# == 0)) || die '--shell takes no command'
	[[ -t 0 && -t 1 ]] || die '--shell needs a terminal'
	set -- "${SHELL:-/bin/bash}" -i
	seconds=0 # no limit
fi
(($# > 0)) || die 'usage: tests/uml/run.sh [-t SECONDS] [-m MEMORY] [-w DIR]... -- COMMAND... | --shell'

if [[ ${RIG:-uml} == host ]]; then
	# What needs the kernel's ESP may not skip itself.
	export KERNEL_PLANE=1
	exec timeout -k 5 "$seconds" "$@"
fi
((EUID == 0)) || die 'the guest reads this machine as root: run it as root (sudo)'
[[ ${UML_KERNEL:-} == installed ]] || "$HERE/kernel.sh"
if [[ ${UML_KERNEL:-} != installed && -e $TOP/build/uml/complete ]]; then
	linux=$TOP/build/uml/linux modules=$TOP/build/uml/modules own=(seccomp=on)
else
	command -v linux.uml >/dev/null || die "User Mode Linux is not installed: run 'make deps'"
	linux=$(command -v linux.uml) modules=/usr/lib/uml/modules own=()
fi
modules=$(find "$modules" -mindepth 1 -maxdepth 1 -type d | sort -V | tail -n 1)
[[ -n $modules ]] || die 'no kernel modules'

dir=$(mktemp -d "${TMPDIR:-/tmp}/uml.XXXXXX")
mkdir "$dir/share" "$dir/uml"
guest='' saved=''
# shellcheck disable=SC2317 # the trap calls it
finish() {
	if [[ -n $guest ]]; then
		kill -KILL "$guest" 2>/dev/null || true
		wait "$guest" 2>/dev/null || true
	fi
	[[ -z $saved ]] || stty "$saved" || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What the guest finds in its share: what to run, and what to mount.
export -p >"$dir/share/environment"
{
	printf 'cd %q || exit 127\nexec' "$PWD"
	printf ' %q' "$@"
	printf '\n'
} >"$dir/share/command"
for folder in "${writable[@]}"; do
	[[ -d $folder ]] && printf '%s\n' "$folder"
done >"$dir/share/writable"
if [[ -n $shell ]]; then
	stty size >"$dir/share/size"
fi

# Console 0 has what the kernel itself says, for when it dies; console 1 is the command's.
# shellcheck disable=SC2054 # the commas are the kernel's
boot=("$linux" "mem=$memory" root=/dev/root rootfstype=hostfs rootflags=/ ro "init=$HERE/init" "SHARE=$dir/share"
	"MODULES=$modules" "uml_dir=$dir/uml" umid=u con=null con0=null,fd:4 con1=fd:0,fd:3 quiet loglevel=4 panic=1 noreboot
	"${own[@]}")
exec 3>&1 4>"$dir/kernel.log"
status=0
# The guest is many processes that wait for each other at each of its system calls: on one processor they take turns at
# a fifth of what waking each other across processors costs.
mapfile -t processors < <(processors)
processor=${processors[${UML_PROCESSOR:-$$} % ${#processors[@]}]}
# In a PID namespace they end together, also when we are killed.
alone=(taskset -c "$processor" setpriv --pdeathsig KILL unshare --pid --fork --kill-child)
# In the background, so that signals reach us at once.
if [[ -n $shell ]]; then
	saved=$(stty -g)
	"${alone[@]}" "${boot[@]}" <&0 >&4 2>&4 &
else
	"${alone[@]}" timeout -k 2 "$seconds" "${boot[@]}" </dev/null >&4 2>&4 &
fi
guest=$!
wait "$guest" 2>/dev/null || status=$?
if [[ -s $dir/share/status ]]; then
	exit "$(cat "$dir/share/status")"
fi
if ((status == 124 || status == 137)); then
	printf 'uml: did not end within %s s\n' "$seconds" >&2
	exit 124
fi
tail -n 40 "$dir/kernel.log" >&2
printf 'uml: the guest died (status %s)\n' "$status" >&2
exit 125
