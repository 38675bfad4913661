/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VT-d register page, the invalidation queue, fault recording and interrupt remapping, over
 * memory that a guest filled as it liked.
 */

#include "tests/unit/vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/entry.c"
#include "iommu/entry_sm.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"
#include "iommu/remap.c"

#include "tests/fuzz/fuzz.h"

enum op { OP_WRITE, OP_READ, OP_POKE, OP_FILL, OP_REMAP, OP_FAULT, OP_LOSE, OP_WRITE_KNOWN, OP_QUEUE, OPS };

/* Registers behind which something happens: found at once rather than by chance. */
static const struct {
	u16 off;
	u8 len;
} known[] = {
	{ VTD_GCMD, 4 }, { VTD_RTADDR, 8 }, { VTD_CCMD, 8 }, { VTD_FSTS, 4 }, { VTD_FECTL, 4 },
	{ VTD_IQT, 8 },	 { VTD_IQA, 8 },    { VTD_ICS, 4 },  { VTD_IECTL, 4 }, { VTD_IRTA, 8 },
	{ VTD_PQH, 8 },	 { VTD_PQT, 8 }, { VTD_PQA, 8 }, { VTD_PRS, 4 }, { VTD_PECTL, 4 },
	{ VTD_IVA, 8 },	 { VTD_IOTLB, 8 },  { VTD_FRCD + 8, 8 },
};

static void check(const struct vtd *vtd, u64 cap, u64 ecap)
{
	const u32 levels = VTD_GCMD_TE | VTD_GCMD_SRTP | VTD_GCMD_QIE | VTD_GCMD_IRE |
			   VTD_GCMD_SIRTP | VTD_GCMD_CFI;

	must(vtd->cap == cap && vtd->ecap == ecap, "capabilities never change");
	must(!(vtd->gsts & ~levels), "GSTS has only bits that exist");
	must(vtd->frcd_next < VTD_NFRCD, "the next record is one of them");
	must(vtd->fri < VTD_NFRCD, "the first record is one of them");
	must(vtd->iqh < 4096ULL << 7 && !(vtd->iqh & 15), "the head is in the largest queue");
	must(!(vtd->fsts & ~(VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)),
	     "FSTS has only bits that exist");
	must(!(vtd->ics & ~1u), "ICS is a bit");
	must(!(vtd->prs & ~3u), "PRS is two");
	must(!((vtd->pqh | vtd->pqt) & ~GENMASK(18, 5)), "head and tail are of the largest queue");
	must(vtd->ecap & VTD_ECAP_PRS || !(vtd->pqh | vtd->pqt | vtd->pqa | vtd->prs),
	     "without PRS its registers are reserved");
}

/* Interrupts that pass have a destination and a vector in the format KVM takes. */
static void remap(struct vtd *vtd, struct input *in)
{
	const u16 sid = in__u16(in);
	const struct msi_msg msg = { .addr = VTD_MSI_BASE | (in__u32(in) & 0xfffff),
				     .data = in__u32(in) };
	struct msi_msg out;

	if (vtd_remap_ops.remap(vtd, sid, &msg, &out, sid & 1))
		return;
	must(vtd__is_msi((u32)out.addr), "what was remapped is still a message");
}

/* A function with a device-TLB, of which SID 0 is the likeliest in random descriptors. */
static void hear(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all)
{
	must(pasid == DMA_NO_PASID || pasid < BIT(20), "a PASID has 20 bits");
	must(!(len & (len - 1)) && (len ? len >= 4096 : !addr), "a range is a power of two");
	must(!len || !(addr & (len - 1)), "and aligned");
}

static void hear_response(struct dma_listener *l, u32 pasid, u16 prgi, enum dma_page_resp code)
{
	must(pasid == DMA_NO_PASID || pasid < BIT(20), "a PASID has 20 bits");
	must(prgi < BIT(9) && code < 16, "group and code are in range");
}

static struct dma_listener device = { .invalidate = hear,
				      .page_response = hear_response,
				      .ats = true };

#define QUEUE 0xe000ULL
#define IRTES 0x8000ULL

/* Everything is on, tables and queue are where OP_POKE reaches them. */
static void enable(struct vtd *vtd)
{
	wr(vtd, VTD_IRTA, IRTES | 7, 8);
	wr(vtd, VTD_RTADDR, 0x1000 | (vtd->ecap & VTD_ECAP_SMTS ? VTD_TTM_SCALABLE << 10 : 0), 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_SRTP | VTD_GCMD_SIRTP, 4);
	wr(vtd, VTD_IQA, QUEUE | (vtd->ecap & VTD_ECAP_SMTS ? VTD_IQA_DW : 0), 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_IRE, 4);
	wr(vtd, VTD_FECTL, 0, 4);
	wr(vtd, VTD_IECTL, 0, 4);
}

static void queue(struct vtd *vtd, u64 lo, u64 hi)
{
	const u32 width = vtd->iqa & VTD_IQA_DW ? 32 : 16;
	const u64 q[4] = { lo, hi };

	if (vtd->iqt > 4096 - width)
		return;
	memcpy(fake_mem.ram + QUEUE + vtd->iqt, q, width);
	wr(vtd, VTD_IQT, (vtd->iqt + width) & 4095, 8);
}

static void step(struct vtd *vtd, struct input *in)
{
	const u8 what = in__u8(in);
	u32 at, n;
	u64 v;

	switch (what % OPS) {
	case OP_WRITE:
	case OP_READ:
		n = 1 + (what / OPS) % 8;
		at = in__u16(in) % (VTD_SIZE - n + 1);
		if (what % OPS == OP_READ)
			rd(vtd, at, n);
		else
			wr(vtd, at, in__n(in, n), n);
		break;
	case OP_WRITE_KNOWN:
		at = in__u8(in) % ARRAY_SIZE(known);
		wr(vtd, known[at].off, in__n(in, known[at].len), known[at].len);
		break;
	case OP_POKE: /* one descriptor or entry, in the first 64 KiB */
		at = in__u16(in) & ~15u;
		for (u32 i = 0; i < 2; i++) {
			v = in__u64(in);
			memcpy(fake_mem.ram + at + 8 * i, &v, 8);
		}
		break;
	case OP_FILL: /* many alike, up to the end of memory */
		at = in__u16(in) * 16u;
		n = in__u16(in);
		v = in__u64(in);
		for (; n && at <= FAKE_RAM - 16; n--, at += 16)
			memcpy(fake_mem.ram + at, &v, 8);
		break;
	case OP_REMAP:
		remap(vtd, in);
		break;
	case OP_FAULT:
		vtd_fault__record(vtd, &(struct vtd_fault){ .reason = in__u8(in),
							    .sid = in__u16(in),
							    .pasid = what & 0x80 ? DMA_NO_PASID :
										   in__u16(in),
							    .addr = in__u64(in),
							    .access = 1 + (what >> 3) % 15 });
		break;
	case OP_QUEUE: /* a descriptor of a known type at the tail */
		v = in__u8(in);
		queue(vtd, (v & 15) | in__n(in, 6) << 4, v & 0x80 ? in__u64(in) : 0);
		break;
	case OP_LOSE:
		lose_isolation = what == OP_LOSE;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct vtd_config cfg = vtd_config_emulated;
	struct vtd *vtd;
	u64 cap, ecap;
	u8 how = in__u8(&in);

	if (how & 1)
		cfg.ir = cfg.eim = false;
	if (how & 2) {
		cfg.scalable = cfg.fs = cfg.ss = cfg.nest = cfg.srs = false;
		cfg.eafs = cfg.smpwc = cfg.ssads = cfg.fs1gp = false;
		cfg.pasid_bits = 0;
		cfg.pri = false;
	}
	if (how & 8)
		cfg.pri = false;
	if (how & 16)
		cfg.ats = cfg.pri = false;
	if (vtd_cap__build(&cfg, &cap, &ecap))
		return 0;
	vtd = fake__new(&cfg);
	lose_isolation = false;
	turns_asked = 0;
	inv_work = how & 32 ? VTD_WORK_TURN : 0; /* each a turn of the queue */
	vtd_devtlb__listen(vtd, &device);
	if (how & 4)
		enable(vtd);
	while (in.left) {
		step(vtd, &in);
		/* The event loop comes to it sooner or later. */
		if (turns_asked && in.left % 3 == 0) {
			turns_asked = 0;
			vtd_queue__run(vtd);
		}
		check(vtd, cap, ecap);
	}
	vtd_regs__reset(vtd);
	check(vtd, cap, ecap);
	fake__free(vtd);
	return 0;
}
