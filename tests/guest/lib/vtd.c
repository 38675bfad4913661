/* SPDX-License-Identifier: GPL-2.0-only */

/* Driving the unit: start, tables, queue, faults. */

#include "vtd.h"

#define QUEUE_BYTES 4096

static u32 gcmd;
static bool wide; /* 256-bit descriptors, as scalable mode wants */
static u32 tail, waits;

bool vtd_command(u32 bit, bool on)
{
	if (bit & G_ONCE) {
		vw32(R_GCMD, gcmd | bit);
		return vr32(R_GSTS) & bit;
	}
	gcmd = on ? gcmd | bit : gcmd & ~bit;
	vw32(R_GCMD, gcmd);
	return !(vr32(R_GSTS) & bit) == !on;
}

void vtd_start_queue(int ttm)
{
	wide = ttm == TTM_SCALABLE;
	tail = 0;
	vw64(R_RTADDR, T_ROOT | (u64)ttm << 10);
	report(vtd_command(G_SRTP, true), "the root table is set");
	vw64(R_IQA, T_QUEUE | (wide ? BIT(11) : 0));
	vw64(R_IQT, 0);
	report(vtd_command(G_QIE, true), "the queue is enabled");
}

void vtd_start(int ttm)
{
	/* The two tables of levels, the PASID tables, root and context. */
	memset((void *)T_ROOT, 0, 0x2000);
	memset((void *)T_TABLES, 0, 0x10000);
	memset((void *)T_PDIR, 0, 0x2000);
	*at64(T_ROOT) = T_CONTEXT | 1;
	vtd_start_queue(ttm);
	vw32(R_FECTL, 0);
	vw32(R_FEDATA, 0x30);
	vw32(R_FEADDR, MSI_BASE);
	report(vtd_command(G_TE, true), "translation is enabled");
}

void vtd_stop(void)
{
	vtd_command(G_TE, false);
	vtd_command(G_IRE, false);
	vtd_command(G_QIE, false);
	vtd_faults_clear();
}

void vtd_context_legacy(int devfn, u64 lo, u64 hi)
{
	at64(T_CONTEXT + devfn * 16)[1] = hi;
	at64(T_CONTEXT + devfn * 16)[0] = lo;
}

void vtd_context_scalable(int devfn, u64 bits, u64 rid_pasid)
{
	*at64(T_PDIR) = T_PTABLE | 1;
	at64(T_CONTEXT + devfn * 32)[1] = rid_pasid;
	at64(T_CONTEXT + devfn * 32)[0] = T_PDIR | 1 | bits;
}

void vtd_pasid(u32 pasid, u64 v0, u64 v1, u64 v2)
{
	volatile u64 *e = at64(T_PTABLE + pasid * 64);

	e[2] = v2;
	e[1] = v1;
	e[0] = v0;
}

static volatile u64 *entry(u64 table, u64 iova, int level)
{
	return at64(table) + (iova >> (3 + 9 * level) & 511);
}

volatile u64 *vtd_leaf(u64 top, u64 iova)
{
	return entry(top + 0x3000, iova, 1);
}

void vtd_map(u64 top, u64 iova, u64 pa, u64 dir_bits, u64 leaf_bits)
{
	for (int level = 4; level > 1; level--)
		*entry(top + 0x1000 * (4 - level), iova, level) =
			(top + 0x1000 * (5 - level)) | dir_bits;
	*vtd_leaf(top, iova) = (pa & ~0xfffUL) | leaf_bits;
}

void vtd_map_2m(u64 top, u64 iova, u64 pa, u64 dir_bits, u64 leaf_bits)
{
	*entry(top, iova, 4) = (top + 0x1000) | dir_bits;
	*entry(top + 0x1000, iova, 3) = (top + 0x2000) | dir_bits;
	*entry(top + 0x2000, iova, 2) = (pa & ~0x1fffffUL) | BIT(7) | leaf_bits;
}

/* --- The queue --- */

void vtd_push(u64 lo, u64 hi)
{
	volatile u64 *d = at64(T_QUEUE + tail);

	d[0] = lo;
	d[1] = hi;
	if (wide)
		d[2] = d[3] = 0;
	tail = (tail + (wide ? 32 : 16)) % QUEUE_BYTES;
}

void vtd_tail(void)
{
	vw64(R_IQT, tail);
}

u32 vtd_tail_pos(void)
{
	return tail;
}

bool vtd_inv(u64 lo, u64 hi)
{
	volatile u32 *status = (volatile u32 *)T_STATUS;

	vtd_push(lo, hi);
	vtd_push(INV_WAIT_SW(++waits), T_STATUS);
	vtd_tail();
	return *status == waits && vr64(R_IQH) == tail;
}

/* --- Faults --- */

#define FRCD(i) (((vr64(R_CAP) >> 24 & 0x3ff) + (i)) * 16)

u32 vtd_fault(struct fault *f)
{
	u32 fsts = vr32(R_FSTS), reg = FRCD(fsts >> 8 & 0xff);
	u64 lo, hi;

	if (!(fsts & FSTS_PPF))
		return 0;
	lo = vr64(reg);
	hi = vr64(reg + 8);
	vw32(reg + 12, BIT(31));
	if (f)
		*f = (struct fault){
			.addr = lo & ~0xfffUL,
			.reason = hi >> 32 & 0xff,
			.sid = hi & 0xffff,
			.pasid = hi >> 40 & 0xfffff,
			.at = hi >> 60 & 3,
			.write = !(hi & (BIT(62) | BIT(28))),
			.page_request = !(hi & BIT(62)) && (hi & BIT(28)),
			.has_pasid = hi & BIT(31),
			.priv = hi & BIT(29),
			.exec = hi & BIT(30),
		};
	return hi >> 32 & 0xff;
}

void vtd_faults_clear(void)
{
	unsigned int n = (vr64(R_CAP) >> 40 & 0xff) + 1;

	for (unsigned int i = 0; i < n; i++)
		vw32(FRCD(i) + 12, BIT(31));
	vw32(R_FSTS, FSTS_PFO | FSTS_IQE | FSTS_ITE);
}

u32 vtd_refusal(struct edu *e, u64 iova)
{
	vtd_faults_clear();
	if (edu_put(e, iova, 0xbad) != EDU_REFUSED)
		return 0;
	return vtd_fault(NULL);
}
