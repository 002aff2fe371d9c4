#!/usr/bin/env bash
# The kernel of the qemu rig: Debian's linux-image, downloaded and unpacked into build/qemu/, not installed; of its modules
# those that a network needs. Says nothing when it is there.
#
# build/qemu/vmlinuz, build/qemu/modules/VERSION, build/qemu/initrd

set -euo pipefail
cd "$(dirname "$0")/../.."

DEST=build/qemu
# What the first process needs to get at the files of this machine, and to be heard.
BOOT=(virtio_pci virtio_console 9pnet_virtio 9p overlay)

[[ ! -e $DEST/complete || $0 -nt $DEST/complete || tests/qemu/init -nt $DEST/complete ]] || exit 0
die() {
	printf 'qemu: %s\n' "$*" >&2
	exit 1
}
for tool in busybox cpio depmod; do
	command -v "$tool" >/dev/null || die "$tool is not installed: run 'tools/deps.sh interop'"
done
rm -rf "$DEST"
mkdir -p "$DEST/deb" "$DEST/root/bin" "$DEST/root/m"
package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[[ -n $package ]] || die 'no linux-image-amd64 in the package lists (apt-get update)'
printf 'downloading %s\n' "$package"
(cd "$DEST/deb" && apt-get download -q "$package" >/dev/null 2>&1) || die "cannot download $package"
version=${package#linux-image-}
dpkg-deb --fsys-tarfile "$DEST"/deb/*.deb | tar -C "$DEST/deb" -x --wildcards "./boot/vmlinuz-*" \
	"./lib/modules/*/modules.*" "./lib/modules/*/kernel/net" "./lib/modules/*/kernel/crypto" "./lib/modules/*/kernel/lib" \
	"./lib/modules/*/kernel/arch" "./lib/modules/*/kernel/fs/9p" "./lib/modules/*/kernel/fs/netfs" \
	"./lib/modules/*/kernel/fs/fscache" "./lib/modules/*/kernel/fs/overlayfs" "./lib/modules/*/kernel/drivers/virtio" \
	"./lib/modules/*/kernel/drivers/char" "./lib/modules/*/kernel/drivers/net/*.ko"
mv "$DEST"/deb/boot/vmlinuz-* "$DEST/vmlinuz"
depmod -b "$DEST/deb" "$version"
# In the order in which they want to be loaded.
modprobe -d "$DEST/deb" -S "$version" --show-depends -a "${BOOT[@]}" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
	while read -r module; do
		cp "$module" "$DEST/root/m/"
		printf '%s\n' "${module##*/}"
	done >"$DEST/root/m/order"
mkdir -p "$DEST/modules"
mv "$DEST/deb/lib/modules/$version" "$DEST/modules/"
cp "$(command -v busybox)" "$DEST/root/bin/busybox"
cp tests/qemu/init "$DEST/root/init"
(cd "$DEST/root" && find . | cpio -o -H newc 2>/dev/null) | gzip -1 >"$DEST/initrd"
rm -rf "$DEST/deb" "$DEST/root"
touch "$DEST/complete"
