# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For cases and benches that run in the lab.

# stuck [PID]...: what tells why a machine does not go on, of each of lkvm's that runs; and where the threads of their
# processes are, and of these.
stuck()
{
	lkvm list
	for name in $(lkvm list | awk 'NR > 1 { print $3 }'); do
		lkvm stat --name "$name"
		lkvm debug --name "$name" --regs
		sleep 1
		lkvm debug --name "$name" --regs
		lkvm stat --name "$name"
	done
	for pid in $(pidof lkvm) "$@"; do
		for task in /proc/"$pid"/task/*; do
			echo "$task $(cut -d' ' -f2,3,14,15 "$task/stat") $(cat "$task/wchan" "$task/syscall")"
		done
	done
	cat /proc/loadavg /proc/net/tcp
}
