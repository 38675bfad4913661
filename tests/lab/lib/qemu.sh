# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The lab's QEMU as something that a lab host can run, to compare lkvm with.  After common.sh and
# packages.sh.

# qemu__collect DIR: QEMU with its loader, libraries and firmware as one tree.  DIR/q35 starts it as bare as
# lkvm is: no default devices, no graphics; what is said on the serial port goes to stdout.
qemu__collect() {
	local dir=$1 prog
	root__prepare
	cache__unlock
	prog=$ROOT/usr/bin/qemu-system-x86_64
	mkdir -p "$dir"/{bin,lib,share} &&
		cp "$prog" "$dir/bin/" &&
		"${ROOT_LD[@]}" --list "$prog" | awk '$2 == "=>" { print $3 }' | xargs cp -Lt "$dir/lib" &&
		cp -L "${ROOT_LD[0]}" "$dir/lib/ld.so" &&
		cp -L "$ROOT"/usr/share/seabios/bios-256k.bin "$ROOT"/usr/share/qemu/{linuxboot_dma,pvh}.bin \
			"$dir/share/" || return
	cat >"$dir/q35" <<-'END'
		#!/bin/sh
		here=$(dirname "$0")
		exec "$here/lib/ld.so" --argv0 qemu-system-x86_64 --library-path "$here/lib" \
			"$here/bin/qemu-system-x86_64" -L "$here/share" -accel kvm -cpu host -M q35 -nodefaults \
			-no-user-config -no-reboot -display none -serial stdio "$@"
	END
	chmod +x "$dir/q35"
}
