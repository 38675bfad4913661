/* SPDX-License-Identifier: GPL-2.0-only */

/* How big a machine is when the user does not say. */

#include <sched.h>
#include <unistd.h>

#include "lkvm/vm.h"
#include "x86/run.h"

#define RAM_DEFAULT GiB

unsigned int run__default_cpus(void)
{
	cpu_set_t set;
	/* What this process may use; where there are too many to tell, what there is. */
	long n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
							      : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : MIN(n, CPUS_XAPIC);
}

u64 run__default_ram(u64 host)
{
	/* A whole number of huge pages. */
	return MIN(MAX(ALIGN_DOWN(host / 2, 2 * MiB), 64 * MiB), RAM_DEFAULT);
}

u64 run__host_ram(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return pages > 0 && page > 0 ? (u64)pages * (u64)page : 0;
}
