# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For cases that run in the lab: TAP, and the ways cases run a guest.
tap=0

# ok STATUS TEXT: passes if STATUS is 0.
ok()
{
	tap=$((tap + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap - $2"
	else
		echo "not ok $tap - $2"
		[ -f /tmp/out ] && tail -n 25 /tmp/out | sed 's/^/# /'
	fi
}

# has PATTERN: the last guest printed it.
has() { grep -qE -- "$1" /tmp/out; }

# guest INITRD PARAMS [OPTION]...: run the stock kernel, one vCPU and no network unless told; its output goes to /tmp/out.
guest()
{
	initrd=$1 params=$2
	shift 2
	timeout 90 lkvm run -c 1 -n none -k "${KERNEL:-$LAB_STOCK_KERNEL}" -i "$initrd" \
		-p "console=ttyS0 panic=-1 $params" -m 512 "$@" < /dev/null > /tmp/out 2>&1
}

tap_done()
{
	echo "1..$tap"
}
