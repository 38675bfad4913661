# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For cases that run in the lab: TAP, and the ways cases run a guest.
. "$(dirname "$0")/stuck.sh"
tap=0

# ok STATUS TEXT: passes if STATUS is 0.
ok()
{
	tap=$((tap + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap - $2"
	else
		echo "not ok $tap - $2"
		[ -f /tmp/out ] && grep -av '^trace: ' /tmp/out | tail -n 25 | sed 's/^/# /'
		[ -f /tmp/out ] && grep -a '^trace: ' /tmp/out | tail -n 10 | sed 's/^/# /'
		[ -f /tmp/stuck ] && sed 's/^/# stuck: /' /tmp/stuck && rm /tmp/stuck
	fi
}

# has PATTERN: the last guest printed it.
has() { grep -qE -- "$1" /tmp/out; }

# until_true CMD [ARG]...: runs CMD until it succeeds; not for ever, but so long that a busy machine does not matter.
until_true()
{
	tries=1200
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		usleep 100000
	done
}

# limited CMD [ARG]...: CMD, ended if it hangs: so late that a busy machine does not matter, and with a report first.
limited()
{
	rm -f /tmp/stuck
	(
		sleep 290 &
		trap 'kill $!; exit' TERM
		wait $! && stuck > /tmp/stuck
	) > /dev/null 2>&1 < /dev/null &
	watch=$!
	timeout 300 "$@"
	limited_status=$?
	kill $watch 2> /dev/null
	return $limited_status
}

# apart CMD [ARG]...: CMD, limited; what it says goes to /tmp/out, errors behind the rest.  As one stream a trace's lines
# would come in the middle of the guest's, because a line that the guest is slow to end goes out in parts.
apart()
{
	limited "$@" < /dev/null > /tmp/out 2> /tmp/err
	apart_status=$?
	cat /tmp/err >> /tmp/out
	return $apart_status
}

# background CMD [ARG]...: starts CMD, sets $pid; what it says goes to /tmp/out, where nothing is left of what was there.
background()
{
	: > /tmp/out
	"$@" < /dev/null > /tmp/out 2>&1 &
	pid=$!
}

# guest INITRD PARAMS [OPTION]...: run the stock kernel, one vCPU and no network unless told; its output goes to /tmp/out.
guest()
{
	initrd=$1 params=$2
	shift 2
	apart lkvm run -c 1 -n none -k "${KERNEL:-$LAB_STOCK_KERNEL}" -i "$initrd" \
		-p "console=ttyS0 panic=-1 $params" -m 512 "$@"
}

tap_done()
{
	echo "1..$tap"
}
