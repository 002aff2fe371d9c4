#!/usr/bin/env bash
# Runs a command on Debian's own kernel, in qemu without help of the processor (TCG), over this machine's own files, as
# root. It has what User Mode Linux lacks: nft, XFRM interfaces, several processors, and room for ASan; but it computes 60
# times slower. Takes some 10 seconds more than the command.
#
#   tests/qemu/run.sh [-t SECONDS] [-m MEMORY] [-c PROCESSORS] [-w DIR]... -- COMMAND...
#
# As tests/uml/run.sh: -t: time limit (300); -m: memory (2G); -w: a folder that the command may write to; the repository's
# build/ is one. Everything else is copied on write and forgotten at the end. The command begins in the present folder with
# the present environment. Its output streams to standard output; the status is its own, 124 after the time limit, 125
# when the guest died.

set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)

die() {
	printf 'qemu: %s\n' "$*" >&2
	exit 2
}

seconds=300 memory=2G processors=2 writable=("$TOP/build")
while (($# > 0)); do
	case $1 in
	-t) seconds=${2:?} && shift 2 ;;
	-m) memory=${2:?} && shift 2 ;;
	-c) processors=${2:?} && shift 2 ;;
	-w) writable+=("$(readlink -f "${2:?}")") && shift 2 ;;
	--) shift && break ;;
	-*) die "unknown option $1" ;;
	*) break ;;
	esac
done
(($# > 0)) || die 'usage: tests/qemu/run.sh [-t SECONDS] [-m MEMORY] [-c PROCESSORS] [-w DIR]... -- COMMAND...'
command -v qemu-system-x86_64 >/dev/null || die "qemu is not installed: run 'tools/deps.sh interop'"
((EUID == 0)) || die 'the guest reads this machine as root: run it as root (sudo)'
"$HERE/kernel.sh" >&2
modules=$(echo "$TOP"/build/qemu/modules/*)

dir=$(mktemp -d "${TMPDIR:-/tmp}/qemu.XXXXXX")
mkdir "$dir/share"
guest=''
# shellcheck disable=SC2317 # the trap calls it
finish() {
	if [[ -n $guest ]]; then
		kill -KILL "$guest" 2>/dev/null || true
		wait "$guest" 2>/dev/null || true
	fi
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

# folder TAG DIR [MORE]: the guest can mount it.
machine=()
folder() { machine+=(-virtfs "local,path=$2,mount_tag=$1,security_model=none,multidevs=remap${3:-}"); }
folder root / ,readonly=on
folder modules "$modules" ,readonly=on
folder share "$dir/share"
number=0
for folder in "${writable[@]}"; do
	[[ -d $folder ]] || continue
	folder "writable$((number++))" "$folder"
	printf '%s\n' "$folder"
done >"$dir/share/writable"
machine+=(-accel "tcg,thread=multi" -cpu max -smp "$processors" -m "$memory" -nodefaults -no-user-config -display none
	-no-reboot -kernel "$TOP/build/qemu/vmlinuz" -initrd "$TOP/build/qemu/initrd"
	-append "console=ttyS0 quiet loglevel=4 panic=-1 random.trust_cpu=on rig=$HERE end"
	# The kernel's own words, for when it dies; and the command's console.
	-serial "file:$dir/kernel.log"
	-device virtio-serial -chardev "stdio,id=out,signal=off" -device "virtconsole,chardev=out")
status=0
setpriv --pdeathsig KILL timeout -k 2 "$seconds" qemu-system-x86_64 "${machine[@]}" </dev/null 2>"$dir/qemu.log" &
guest=$!
wait "$guest" 2>/dev/null || status=$?
if [[ -s $dir/share/status ]]; then
	exit "$(cat "$dir/share/status")"
fi
if ((status == 124 || status == 137)); then
	printf 'qemu: did not end within %s s\n' "$seconds" >&2
	exit 124
fi
tail -n 40 "$dir/kernel.log" "$dir/qemu.log" >&2
printf 'qemu: the guest died (status %s)\n' "$status" >&2
exit 125
