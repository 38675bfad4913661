/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * badpgtt DDDD:BB:DD.F: break the PASID-table entry that translates this device's requests without
 * PASID, as a kernel bug would: its PGTT becomes 7, which the specification reserves (VT-d 9.6).
 * Then have the hardware read its root table again (GCMD.SRTP).  Needs /dev/mem without restrictions.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGS	 0xfed90000
#define PAGE	 4096
#define ADDR(x)	 ((x)&0xffffffffff000ull)
#define GCMD	 0x18
#define GSTS	 0x1c
#define RTADDR	 0x20
#define ONE_SHOT 0x69000000u /* the GSTS bits that a GCMD write must not repeat */
#define SRTP	 (1u << 30)

static int mem;

static volatile uint8_t *map(uint64_t addr)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, (off_t)addr);

	if (p == MAP_FAILED) {
		perror("badpgtt: cannot map physical memory");
		exit(1);
	}
	return p;
}

static uint64_t read64(uint64_t addr)
{
	return *(volatile uint64_t *)(map(addr & ~(PAGE - 1ull)) + (addr & (PAGE - 1)));
}

int main(int argc, char **argv)
{
	unsigned int dom, bus, dev, fn;

	if (argc != 2 || sscanf(argv[1], "%x:%x:%x.%x", &dom, &bus, &dev, &fn) != 4) {
		fprintf(stderr, "usage: badpgtt DDDD:BB:DD.F\n");
		return 2;
	}
	mem = open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (mem < 0) {
		perror("badpgtt: /dev/mem");
		return 1;
	}
	volatile uint8_t *regs = map(REGS);
	uint64_t root = *(volatile uint64_t *)(regs + RTADDR);
	unsigned int devfn = dev << 3 | fn;

	/* Root entry: the lower half covers devfn 0..7F, 32 bytes per context entry (9.3, 9.4). */
	uint64_t ctx = ADDR(read64(ADDR(root) + bus * 16 + (devfn >> 7) * 8)) + (devfn & 0x7f) * 32;
	uint64_t rid_pasid = read64(ctx + 8) & 0xfffff;
	uint64_t table = ADDR(read64(ADDR(read64(ctx)) + (rid_pasid >> 6) * 8));
	uint64_t entry = table + (rid_pasid & 63) * 64;
	volatile uint64_t *e =
	    (volatile uint64_t *)(map(entry & ~(PAGE - 1ull)) + (entry & (PAGE - 1)));

	printf("badpgtt: entry %#llx was %#llx\n", (unsigned long long)entry,
	       (unsigned long long)*e);
	*e |= 7ull << 6;

	uint32_t sts = *(volatile uint32_t *)(regs + GSTS);

	*(volatile uint32_t *)(regs + GCMD) = (sts & ~ONE_SHOT) | SRTP;
	while (!(*(volatile uint32_t *)(regs + GSTS) & SRTP))
		;
	return 0;
}
