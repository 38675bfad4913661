# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the host boots into: an initramfs of two parts and a disk image.
#
# base.cpio	busybox and its names; the part a guest of the host needs as well
# lab.ext4	what is big and seldom used: kernels, modules, fio and other tools; mounted on /lab
# run.cpio	made for each run: the scripts of guest/, lkvm, what --add names, the command
#
# Only the last changes from run to run, and pages of the image that nobody reads cost no boot time.

# The kernel modules a stock guest needs for lkvm's devices, in the order of their dependencies.
STOCK_MODULES="failover net_failover virtio_net virtio_blk virtio-rng"
# Programs of the hermetic root that the host has too.
HOST_PROGRAMS="bin/fio bin/strace bin/lspci bin/iasl bin/dtc sbin/mke2fs"

# rootfs__cpio DIR: the tree as an archive on standard output, all owned by root.
rootfs__cpio() {
	(cd "$1" && find . -mindepth 1 -print0 |
		"$ROOT/usr/bin/busybox" cpio -0 -o -H newc -R 0:0 --renumber-inodes 2>/dev/null)
}

image__make_base() {
	local busybox=$ROOT/usr/bin/busybox name
	# Directories, not links among them: later archives bring directories of the same names.
	mkdir -p base/{dev,proc,sys,run,tmp,root,etc,lab} base/{,usr/}{bin,sbin,lib} base/usr/lib/lab base/lib64
	chmod 1777 base/tmp
	cp "$busybox" base/bin/busybox
	for name in $("$busybox" --list-full); do
		[ "$name" = bin/busybox ] || echo "base/$name"
	done | xargs -n 1 ln -s /bin/busybox
	echo 'root:x:0:0:root:/root:/bin/sh' >base/etc/passwd
	echo 'root:x:0:' >base/etc/group
	gcc -Os -Wall -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -s \
		-o base/usr/lib/lab/exit "$LAB_DIR/guest/exit.c" || lab__die "gcc cannot build guest/exit.c"
	rootfs__cpio base >base.cpio && rm -rf base
}

# The programs, each a name for one script that starts it by the root's loader: the libraries of the
# machine, which lkvm uses, may be of another age.
image__make_programs() {
	local prog
	mkdir -p lab/bin lab/prog lab/lib lab/share
	for prog in $HOST_PROGRAMS; do
		cp "$ROOT/usr/$prog" lab/prog/ && ln -s run "lab/bin/${prog##*/}" || return
		"${ROOT_LD[@]}" --list "$ROOT/usr/$prog" | sed -n 's/^.* => \(.*\) (0x.*/\1/p'
	done | sort -u | xargs -d '\n' cp -Lt lab/lib || return
	cp -L "${ROOT_LD[0]}" lab/lib/ld.so
	cp "$LAB_DIR/guest/run" lab/bin/run
	ln -s mke2fs lab/prog/mkfs.ext4 && ln -s run lab/bin/mkfs.ext4
	cp "$ROOT/usr/share/misc/pci.ids" lab/share/
}

# The stock kernel, and its modules as an archive to append to an initramfs.
image__make_stock() {
	local version dir name file
	packages__unpack stock
	version=$(ls usr/lib/modules)
	dir=mod/lib/modules/$version
	mkdir -p "$dir"
	mv "boot/vmlinuz-$version" lab/kernel/stock
	for name in $STOCK_MODULES; do
		file=$(find usr/lib/modules -name "$name.ko*")
		case $file in
		*.ko.xz) root__run bin/xz -dc "$file" >"$dir/$name.ko" ;;
		*.ko) cp "$file" "$dir/" ;;
		*) lab__die "the stock kernel $version has no module $name" ;;
		esac || return
		echo "$name.ko" >>"$dir/order"
	done
	rootfs__cpio mod >lab/modules.cpio && rm -rf boot usr mod
}

image__make() {
	lab__need "building the host's file system" gcc strip
	lab__note "building the host's file system"
	mkdir -p lab/kernel
	gcc -O2 -Wall -o tsc "$LAB_DIR/tsc.c" || lab__die "gcc cannot build tsc.c"
	{ image__make_base && image__make_programs && image__make_stock; } ||
		lab__die "cannot build the host's file system: check the room in $CACHE"
	cp base.cpio lab/
	cp "$KERNEL/bzImage" "$KERNEL/vmlinux" "$KERNEL/config" lab/kernel/
	MKE2FS_CONFIG=$ROOT/etc/mke2fs.conf root__run sbin/mke2fs -q -F -t ext4 -L lkvm-lab -m 0 -b 4096 \
		-O ^has_journal,^resize_inode -E root_owner=0:0 -d lab lab.ext4 \
		"$(($(du -sk lab | cut -f 1) * 110 / 100 + 4096))k" || lab__die "mke2fs cannot build lab.ext4"
	rm -rf lab
}

# Makes the image: $IMAGE.
image__prepare() {
	packages__item IMAGE stock image__make "${ROOT##*/} ${KERNEL##*/} $STOCK_MODULES $HOST_PROGRAMS
		$(declare -f image__make_base image__make_programs image__make_stock)
		$(cat "$LAB_DIR/tsc.c" "$LAB_DIR/guest/exit.c" "$LAB_DIR/guest/run")"
}

# rootfs__libs FILE STAGE: the libraries of a dynamic program, where the loader looks for them.
rootfs__libs() {
	local lib
	{ ldd "$1" 2>/dev/null || true; } | sed -nE 's/^\t(.* => )?(\/[^ ]+) \(0x.*/\2/p' | while read -r lib; do
		case $lib in
		*/ld-linux*) mkdir -p "$2${lib%/*}" && cp -Lu "$lib" "$2$lib" ;;
		*/libc.so.6) # and what that loads by itself when a thread ends or a backtrace is taken
			cp -Lu "$lib" "$2/usr/lib/x86_64-linux-gnu/"
			[ ! -e "${lib%/*}/libgcc_s.so.1" ] ||
				cp -Lu "${lib%/*}/libgcc_s.so.1" "$2/usr/lib/x86_64-linux-gnu/" ;;
		*) cp -Lu "$lib" "$2/usr/lib/x86_64-linux-gnu/" ;;
		esac
	done
}

# rootfs__add SRC[:DST] STAGE
rootfs__add() {
	local src=$1 dst='' stage=$2
	if [ ! -e "$src" ]; then
		dst=${src##*:} src=${src%:*}
	fi
	[ -n "$dst" ] || dst=/add/
	[ "${dst%/}" = "$dst" ] || dst=$dst$(basename "$(realpath -s "$src")")
	{ mkdir -p "$stage${dst%/*}" && cp -aHT --no-preserve=ownership "$src" "$stage$dst"; } ||
		lab__die "--add $1: cannot copy: see the message above"
	if [ -f "$src" ]; then
		rootfs__libs "$src" "$stage"
	fi
}

# "$@" as a line of shell.
rootfs__quote() {
	local arg
	for arg in "$@"; do
		printf " '%s'" "${arg//\'/\'\\\'\'}"
	done
}

# rootfs__make OUT COMMAND...: the initramfs of this run; $ADDS are the --add's arguments.
rootfs__make() {
	local out=$1 stage=$RUN/stage add
	shift
	mkdir -p "$stage"/usr/{bin,lib/lab,lib/x86_64-linux-gnu} "$stage/add"
	cp "$LAB_DIR"/guest/{init,initrd-init,end} "$stage/usr/lib/lab/"
	cp "$LAB_DIR"/guest/lab-* "$stage/usr/bin/"
	ln -s usr/lib/lab/init "$stage/init"
	echo "exec$(rootfs__quote "$@")" >"$stage/usr/lib/lab/command"
	if [ -x "$LKVM" ]; then
		cp "$LKVM" "$stage/usr/bin/lkvm"
		rootfs__libs "$LKVM" "$stage"
	fi
	for add in "${ADDS[@]}"; do
		rootfs__add "$add" "$stage"
	done
	{ cat "$IMAGE/base.cpio" && rootfs__cpio "$stage"; } >"$out" ||
		lab__die "cannot write the initramfs: check the room in ${RUN%/*}"
	rm -rf "$stage"
}
