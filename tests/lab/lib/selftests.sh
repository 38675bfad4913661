# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The selftests of iommufd and VFIO that come with the lab kernel's source, built static for cases that run
# them.  After common.sh and packages.sh.  Made when a case first asks for them: nothing else needs them.

SELFTEST_PROGRAMS="iommu/iommufd vfio/vfio_dma_mapping_test vfio/vfio_dma_mapping_mmio_test vfio/vfio_iommufd_setup_test
	vfio/vfio_pci_device_test"

selftests__compile() {
	local target
	export LC_ALL=C
	unset MAKEFLAGS MFLAGS CROSS_COMPILE O
	make headers_install || return
	for target in $SELFTEST_PROGRAMS; do
		# The programs by name: others of their directories may need what nothing here does.
		make -C "tools/testing/selftests/${target%/*}" top_srcdir="$PWD" KHDR_INCLUDES="-isystem $PWD/usr/include" \
			LDFLAGS="-static -pthread" OUTPUT="$PWD/out" "$PWD/out/${target#*/}" || return
	done
}

selftests__make() {
	local target log=$CACHE/selftests-build.log
	lab__need "building the kernel's selftests" gcc make rsync libcap libuuid
	lab__note "building the kernel's selftests of iommufd and VFIO, once"
	packages__unpack source
	mkdir -p src/out
	root__run bin/xz -dc usr/src/linux-source-*.tar.xz | tar -x -C src --strip-components 1 ||
		lab__die "cannot unpack the kernel source: check the room in $CACHE"
	(cd src && selftests__compile) >"$log" 2>&1 || lab__die "the selftests did not build: see $log"
	for target in $SELFTEST_PROGRAMS; do
		mv "src/out/${target#*/}" . || exit 125
	done
	rm -rf usr src "$log"
}

# Makes the programs: $SELFTESTS.
selftests__prepare() {
	root__prepare
	packages__item SELFTESTS source selftests__make "$SELFTEST_PROGRAMS $(declare -f selftests__compile)"
	cache__unlock
}
