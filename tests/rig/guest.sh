# shellcheck shell=sh
# What the first process of a guest does after it has a root (tests/uml/init, tests/qemu/init): what a system has besides
# files, then the command. To be sourced. The folder /run/share is the host's: `environment`, `command`, `writable`
# (folders), `size` (of a terminal, with --shell); `status` is for the host.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

guest_system() {
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t tmpfs -o mode=0755 tmpfs /run
	mkdir -p /dev/pts /dev/shm /dev/net
	mount -t devpts -o ptmxmode=0666,mode=0620 devpts /dev/pts
	mount -t tmpfs tmpfs /dev/shm
	[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
	for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
		[ -e "/dev/${link%:*}" ] || ln -s "/proc/self/${link#*:}" "/dev/${link%:*}"
	done
}

# guest_run TERMINAL NAME: in a session with the command's console as its terminal, so that a shell has job control.
guest_run() {
	# These do not load by themselves.
	modprobe -a ipv6 af_key nf_conntrack_netlink
	# These would, each with a call of modprobe when the first SA wants it: seconds in all, where this takes an instant.
	modprobe -qa esp4 esp6 xfrm_user tun gcm ctr seqiv cbc hmac sha256_generic sha512_generic chacha20poly1305 authenc \
		authencesn echainiv
	ip link set lo up
	hostname "$2"
	[ -e /run/share/size ] || stty -F "$1" -opost -echo
	# shellcheck disable=SC2016
	setsid -c bash -c '
		read -r rows columns 2>/dev/null </run/share/size && stty rows "$rows" cols "$columns"
		. /run/share/environment
		export PATH='"$PATH"' HOME=/root TERM="${TERM:-dumb}"
		. /run/share/command' <"$1" >"$1" 2>&1
	echo $? >/run/share/status
	sync
}
