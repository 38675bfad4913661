# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For the benches that run in the lab's host.

# Busybox's date has no fractions of a second; this has hundredths.
uptime_ms() {
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}

# QEMU's options for a VT-d that can what lkvm's can, and /tmp/disk behind it.
VIOMMU="-machine kernel-irqchip=split -device intel-iommu,scalable-mode=on,fsts=on,intremap=on,eim=on
	-drive file=/tmp/disk,format=raw,if=none,id=d1 -device virtio-blk-pci,drive=d1,iommu_platform=on,disable-legacy=on"

# timed CMD [ARG]...: sets MS to how long it took, STATUS to how it ended; its output goes to /tmp/out.
timed() {
	start=$(uptime_ms)
	timeout 120 "$@" </dev/null >/tmp/out 2>&1
	STATUS=$?
	MS=$(($(uptime_ms) - start))
}

# How busy the machine is: LOOP is how long a loop of a third of a second takes now, BEST the least that it has taken.
# Where processors are shared, it is slower by half for seconds at a time.
gauge() {
	start=$(uptime_ms)
	awk 'BEGIN { for (i = 0; i < 80000; i++) x += i }'
	LOOP=$(($(uptime_ms) - start))
	[ "${BEST:=$LOOP}" -le $LOOP ] || BEST=$LOOP
}

# median FILE: of its lines, each one number.
median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}

# ratio A B
ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f\n", a / b; else print "none" }'
}

failed=0

# one PATTERN NAME CMD [ARG]...: the lines of a guest's output that match go to /tmp/results behind NAME.  A guest
# that ends badly is counted in $failed, and told.
one() {
	pattern=$1 name=$2
	shift 2
	timed "$@"
	if [ $STATUS -eq 0 ]; then
		tr -d '\r' </tmp/out | grep "$pattern" | sed "s/^/$name /" >>/tmp/results
	else
		failed=$((failed + 1))
		echo "$name ended with status $STATUS after $MS ms"
		tail -n 3 /tmp/out
	fi
}

# compare TEXT WORDS FIELD UNIT [SUFFIX]: medians of a field of the lines that have WORDS behind the name (and
# that SUFFIX), and their ratio.
compare() {
	for name in lkvm QEMU; do
		grep "^$name$5 $2 " /tmp/results | cut -d ' ' -f "$3" >/tmp/$name.values
	done
	l=$(median /tmp/lkvm.values) q=$(median /tmp/QEMU.values)
	echo "$1: lkvm ${l:-none} $4, QEMU ${q:-none} $4, ratio $(ratio "$l" "$q")"
}
