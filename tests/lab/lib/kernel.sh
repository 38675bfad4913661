# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The lab kernel: Debian's newest kernel source with tinyconfig and kernel.config, because the stock kernels
# have no iommufd.  Its item holds bzImage, vmlinux (stripped; it has the PVH entry point) and config.

KERNEL_TOOLS="gcc make flex bison bc strip libelf"

# Every line of the fragment must hold in .config: Kconfig drops what it does not know without a word.  So does
# sed, when a newer source has no such line to mend.
kernel__check_config() {
	local line bad=
	grep -q 'exit_int_info & SVM_EXITINTINFO_VALID) &&' arch/x86/kvm/svm/svm.c ||
		lab__die "kernel__mend_svm: this kernel's source has another form"
	while read -r line; do
		case $line in
		CONFIG_*=n) grep -q "^${line%=n}=" .config && bad="$bad $line" ;;
		CONFIG_*) grep -qxF -- "$line" .config || bad="$bad $line" ;;
		esac
	done <"$LAB_DIR/kernel.config"
	[ -z "$bad" ] || lab__die "tests/lab/kernel.config: not taken by this kernel's configuration:$bad"
}

# QEMU's SVM clears the valid bit of an event it has delivered and leaves its type behind, which a VM exit
# then reports.  KVM (6.15 and newer) looks at the type alone before it emulates an instruction, takes the event
# for one in flight, and gives up: now and then a guest ends at an MMIO access.  Look at the valid bit instead.
kernel__mend_svm() {
	sed -i '/exit_int_info & SVM_EXITINTINFO_TYPE_MASK) &&/s/TYPE_MASK/VALID/' arch/x86/kvm/svm/svm.c
}

kernel__compile() {
	local log=$CACHE/kernel-build.log
	# The same input gives the same bytes.
	export KBUILD_BUILD_USER=lkvm KBUILD_BUILD_HOST=lab KBUILD_BUILD_TIMESTAMP=1970-01-01
	export ARCH=x86_64 LC_ALL=C
	unset MAKEFLAGS MFLAGS CROSS_COMPILE KCONFIG_CONFIG O
	{
		kernel__mend_svm && make tinyconfig &&
			scripts/kconfig/merge_config.sh -m .config "$LAB_DIR/kernel.config" &&
			make olddefconfig && kernel__check_config && make -j"$(nproc)" bzImage
	} >"$log" 2>&1 || lab__die "the kernel did not build: see $log"
	rm -f "$log"
}

kernel__make() {
	# shellcheck disable=SC2086 # words
	lab__need "building the host kernel" $KERNEL_TOOLS
	lab__note "building the host kernel, once: this takes 5 to 20 minutes"
	packages__unpack source
	mkdir src
	root__run bin/xz -dc usr/src/linux-source-*.tar.xz | tar -x -C src --strip-components 1 ||
		lab__die "cannot unpack the kernel source: check the room in $CACHE"
	(cd src && kernel__compile) || exit 125
	mv src/arch/x86/boot/bzImage bzImage &&
		mv src/.config config &&
		strip -o vmlinux src/vmlinux || exit 125
	rm -rf usr src
}

# Makes the lab kernel: $KERNEL.
kernel__prepare() {
	packages__item KERNEL source kernel__make "$(declare -f kernel__mend_svm kernel__compile; cat "$LAB_DIR/kernel.config")"
}
