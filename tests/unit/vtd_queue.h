/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_QUEUE_H
#define VTD_QUEUE_H

/* A unit with an invalidation queue, for tests of descriptors. */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"

#define QUEUE  0x10000ULL
#define STATUS 0x8000ULL

static struct vtd *vtd;
static bool wide;

static void set_mode(u64 ttm)
{
	wr(vtd, VTD_RTADDR, 0x5000 | ttm << 10, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_SRTP | (rd(vtd, VTD_GSTS, 4) & VTD_GCMD_QIE), 4);
}

/* A unit with an enabled, empty queue of one page. */
static void start(u64 ttm, bool dw)
{
	vtd = fake__new(&vtd_config_emulated);
	wide = dw;
	set_mode(ttm);
	wr(vtd, VTD_IQA, QUEUE | (dw ? VTD_IQA_DW : 0), 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_QIE, 4);
	fake__forget();
}

static inline void put(u64 index, u64 q0, u64 q1, u64 q2, u64 q3)
{
	u64 *p = mem__ptr(&fake_mem, QUEUE + index * (wide ? 32 : 16), wide ? 32 : 16);

	p[0] = q0;
	p[1] = q1;
	if (wide) {
		p[2] = q2;
		p[3] = q3;
	}
}

static inline void tail(u64 index)
{
	wr(vtd, VTD_IQT, index * (wide ? 32 : 16), 4);
}

static inline u32 status(void)
{
	u32 v;

	memcpy(&v, fake_mem.ram + STATUS, sizeof(v));
	return v;
}

#define G(n)	 ((u64)(n) << 4)
#define DID(n)	 ((u64)(n) << 16)
#define PASID(n) ((u64)(n) << 32)
#define SID(n)	 ((u64)(n) << 32)
#define FM(n)	 ((u64)(n) << 48)

#endif
