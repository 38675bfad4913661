# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2054
#
# The host: QEMU with the lab kernel.  Output and status come over virtio ports into $RUN, and the kernel's
# console goes to $RUN/log.

# KVM can run a host that itself runs guests.
host__has_kvm() {
	local nested=/sys/module/kvm_intel/parameters/nested
	[ -e $nested ] || nested=/sys/module/kvm_amd/parameters/nested
	[ -w /dev/kvm ] && grep -qwE 'svm|vmx' /proc/cpuinfo && grep -qE '^[Y1]' $nested 2>/dev/null
}

# host__args INITRD: sets QEMU to the command.
host__args() {
	local params="console=ttyS0 panic=-1 retain_initrd" iommu= smp=$SMP
	QEMU=("${ROOT_LD[@]}" "$ROOT/usr/bin/qemu-system-x86_64"
		-L "$ROOT/usr/share/qemu" -L "$ROOT/usr/share/seabios")
	if host__has_kvm; then
		QEMU+=(-accel kvm -cpu host)
	else
		# "rep stosb" and "rep movsb" are emulated byte by byte: a kernel that is told that they are fast
		# takes nearly twice as long to boot.
		QEMU+=(-accel tcg,thread=multi -cpu max,-erms,-fsrm)
		# A busy machine spoils the host's own measurement.  When Linux corrects it by more than 250 ppm
		# a second later, KVM, set up by then and without TSC scaling, gives its guests a clock that
		# stands still.
		params="$params tsc_early_khz=$("$IMAGE/tsc")"
		# Whichever processor loads its FPU, QEMU clears a flag (HF2_IGNNE) of the first one, not
		# atomically: when that is in VMRUN, its flag for nested paging or for GIF can get lost, and its
		# guest's accesses reach the host's memory.  So the first one is one more, without guests.
		params="$params LAB_CPUS=1-$SMP"
		smp=$((SMP + 1))
	fi
	QEMU+=(-nodefaults -no-user-config -no-reboot -display none -smp "$smp" -m "$MEM"
		-chardev "file,id=log,path=${RUN//,/,,}/log,append=on" -serial chardev:log)
	if [ -n "$IOMMU" ]; then
		QEMU+=(-M q35,kernel-irqchip=split
			-device "intel-iommu,scalable-mode=on,fsts=on,intremap=on,eim=on")
		iommu=,iommu_platform=on
	else
		QEMU+=(-M q35)
	fi
	# The user's disk comes first on the bus, the lab's devices last.
	if [ -n "$DISK" ]; then
		QEMU+=(-drive "file=${DISK//,/,,},format=raw,if=none,id=user"
			-device "virtio-blk-pci,drive=user,addr=0x1,disable-legacy=on$iommu")
		params="$params LAB_DISK=/dev/vda"
	fi
	QEMU+=(-drive "file=${IMAGE//,/,,}/lab.ext4,format=raw,if=none,id=lab,readonly=on"
		-device virtio-blk-pci,drive=lab,serial=lkvm-lab,addr=0x1d,disable-legacy=on
		-device virtio-serial-pci,addr=0x1e,disable-legacy=on
		-chardev "file,id=status,path=${RUN//,/,,}/status" -device virtserialport,chardev=status,name=lab.status)
	if [ -n "$TTY" ]; then
		QEMU+=(-chardev stdio,id=tty,signal=off -device virtconsole,chardev=tty)
		params="$params LAB_TTY=$TTY TERM=${TERM:-linux}"
	else
		QEMU+=(-chardev "file,id=out,path=${RUN//,/,,}/out" -device virtserialport,chardev=out,name=lab.out
			-chardev "file,id=err,path=${RUN//,/,,}/err" -device virtserialport,chardev=err,name=lab.err)
	fi
	[ -n "${LAB_VERBOSE:-}" ] && params="$params LAB_VERBOSE=1" || params="$params quiet"
	QEMU+=(-kernel "$KERNEL/vmlinux" -initrd "$1" -append "$params" "${QEMU_ARGS[@]}")
}

# host__stop: ends QEMU if it runs.
host__stop() {
	[ -n "${QEMU_PID:-}" ] || return 0
	kill "$QEMU_PID" 2>/dev/null
	for _ in {1..50}; do
		kill -0 "$QEMU_PID" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$QEMU_PID" 2>/dev/null
	wait "$QEMU_PID" 2>/dev/null
	QEMU_PID=
}

# host__copy PIPE: to standard output.  When that has gone there is no point in going on.
host__copy() {
	cat "$1" || {
		echo $? >"$RUN/deaf"
		kill "$QEMU_PID" 2>/dev/null
	}
}

# host__start: starts QEMU, and what copies its output.
host__start() {
	: >"$RUN/status"
	if [ -n "$TTY" ]; then
		# Without job control, bash gives background commands no terminal unless told.
		"${QEMU[@]}" <&0 2>&"$LOG_FD" &
		QEMU_PID=$! COPIES=()
	else
		"${QEMU[@]}" </dev/null >&"$LOG_FD" 2>&1 &
		QEMU_PID=$!
		host__copy "$RUN/out" &
		COPIES=($!)
		host__copy "$RUN/err" >&2 &
		COPIES+=($!)
	fi
}

# host__booted: waits until init is about to run the command.  1 if QEMU ends before, or is ended because nothing happens.
host__booted() {
	local end=$((SECONDS + BOOT_TIMEOUT))
	while [ ! -s "$RUN/status" ] && kill -0 "$QEMU_PID" 2>/dev/null; do
		if [ $SECONDS -ge $end ]; then
			kill -KILL "$QEMU_PID"
			return 1
		fi
		sleep 0.1
	done
	[ -s "$RUN/status" ]
}

# host__limit SECONDS: ends QEMU, and makes $RUN/late, if it still runs then.  For the background, where it ends by itself:
# one that has to be killed could be killed before it has given up the traps of this shell.
host__limit() {
	timeout "$1" tail --pid="$QEMU_PID" -f /dev/null
	if [ $? -eq 124 ]; then
		: >"$RUN/late"
		host__stop
	fi
}

# host__wait: until QEMU and its output have ended; QEMU's status.
host__wait() {
	local status
	wait "$QEMU_PID"
	status=$?
	QEMU_PID=
	if [ -z "$TTY" ]; then
		: 1<>"$RUN/out" 1<>"$RUN/err" # ends the copies also if QEMU never opened these
		wait "${COPIES[@]}"
	fi
	return $status
}

# host__run INITRD: boots it, copies its output, and returns the command's status: 124 when that runs for TIMEOUT
# seconds (0: as long as it likes), 125 if the host ended without a status, 141 (SIGPIPE) if nobody reads the output.
host__run() {
	local status tries=3
	host__args "$1"
	[ -n "$TTY" ] || mkfifo "$RUN/out" "$RUN/err"
	host__start
	# A boot that hangs or dies is tried again: nothing of the command's has run yet.  But status 1 is QEMU's own
	# refusal to start.
	until host__booted 2>/dev/null; do
		host__wait 2>/dev/null
		status=$?
		KEEP_LOG=1
		if [ $((tries -= 1)) -eq 0 ] || [ $status -eq 1 ]; then
			lab__die "the host does not boot: $(tail -n 1 "$RUN/log" | tr -d '\r'): see $RUN/log"
		fi
		lab__note "the host does not boot: trying again; see $RUN/log"
		host__start
	done
	[ "$TIMEOUT" -eq 0 ] || host__limit "$TIMEOUT" </dev/null >/dev/null 2>&1 &
	host__wait
	if [ -e "$RUN/late" ]; then
		KEEP_LOG=1
		lab__note "timeout: the host did not end within $TIMEOUT s: --timeout gives more; see $RUN/log"
		return 124
	fi
	if [ -e "$RUN/deaf" ]; then
		[ "$(cat "$RUN/deaf")" -eq 141 ] || lab__die "the command's output cannot be written"
		return 141
	fi
	# After the line that says that the command has begun.
	status=$(tail -n +2 "$RUN/status")
	case $status in
	'' | *[!0-9]*)
		KEEP_LOG=1
		lab__note "the host ended without a status: $(tail -n 1 "$RUN/log" | tr -d '\r'): see $RUN/log"
		return 125
		;;
	esac
	return "$status"
}
