# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For the benches that run in the lab's host.
. "${0%/*}/stuck.sh"

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

# Two guests run at once, and work in turn, a second each: what makes the machine slow for a while meets both.  How fast
# a guest is depends also on how it happened to boot, so each round boots both anew.  A guest runs the commands that it is
# told through its console, each a line:
cat >/tmp/told <<'END'
#!/bin/sh
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
exec </dev/console
stty -echo
echo READY
while read -r line && [ "$line" != end ]; do
	eval "$line"
done
END
chmod +x /tmp/told

CR=$(printf '\r')

# hear NAME OUT PATTERN: sets $line to the next line of the guest's output that matches; it has two minutes for each.
hear() {
	last=nothing
	while read -r -t 120 line <&"$2"; do
		line=${line%"$CR"} last="\"$line\""
		# shellcheck disable=SC2254
		case $line in
		$3) return ;;
		esac
	done
	failed=$((failed + 1))
	echo "$1 does not say \"$3\"; the last that it said is $last"
	false
}

# begin NAME IN OUT CMD [ARG]...: a guest whose command is /told; descriptors IN and OUT are its console from now on.
begin() {
	name=$1 in=$2 out=$3
	shift 3
	rm -f "/tmp/$name.in" "/tmp/$name.out"
	mkfifo "/tmp/$name.in" "/tmp/$name.out"
	eval "exec $in<>/tmp/$name.in $out<>/tmp/$name.out"
	"$@" <"/tmp/$name.in" >"/tmp/$name.out" 2>&1 &
	eval "pid_$name=$!"
	hear "$name" "$out" READY
}

# ask NAME IN OUT COMMAND [SUFFIX]: the line that begins with the command's name goes to /tmp/results behind NAME and
# SUFFIX.
ask() {
	tool=${4%% *}
	echo "$4" >&"$2"
	hear "$1" "$3" "${tool##*/} *" && echo "$1$5 $line" >>/tmp/results
}

# finish NAME IN OUT: a guest that has ceased to answer is killed.
finish() {
	echo end >&"$2"
	# shellcheck disable=SC2154
	if [ "$silent" = "$1" ]; then
		eval "stuck \$pid_$1; kill -9 \$pid_$1"
	fi
	eval "wait \$pid_$1"
	status=$?
	if [ $status -ne 0 ]; then
		failed=$((failed + 1))
		echo "$1 ended with status $status"
	fi
	eval "exec $2>&- $3>&-"
}

# both_told ROUNDS SUFFIX COMMAND...: asks both guests, lkvm by descriptors 3 and 4, QEMU by 5 and 6, everything in each
# round, as long as both answer.
both_told() {
	rounds=$1 suffix=$2
	shift 2
	round=0 silent=
	while [ $round -lt "$rounds" ]; do
		round=$((round + 1))
		for what in "$@"; do
			silent=lkvm
			ask lkvm 3 4 "$what" "$suffix" || break 2
			silent=QEMU
			ask QEMU 5 6 "$what" "$suffix" || break 2
			silent=
		done
	done
	finish lkvm 3 4
	finish QEMU 5 6
}

# compare TEXT WORDS FIELD UNIT [SUFFIX]: medians of a field of the lines that have WORDS behind the name (and
# that SUFFIX), their ratio, and the median of the rounds' ratios.
compare() {
	for name in lkvm QEMU; do
		grep "^$name$5 $2 " /tmp/results | cut -d ' ' -f "$3" >/tmp/$name.values
	done
	l=$(median /tmp/lkvm.values) q=$(median /tmp/QEMU.values)
	paste -d ' ' /tmp/lkvm.values /tmp/QEMU.values | awk '$2 > 0 { printf "%.2f\n", $1 / $2 }' >/tmp/pairs
	p=$(median /tmp/pairs)
	echo "$1: lkvm ${l:-none} $4, QEMU ${q:-none} $4, ratio $(ratio "$l" "$q"), median of the rounds' ratios ${p:-none}"
}
