/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accessed and dirty bits that cannot be set, because a vCPU changes the entry each time between its read
 * and its update: reasons 91h and 7Dh (VT-d Table 30, SFS.10 and SSS.6), and what they are to a function
 * with a device-TLB.
 */

/* The next so many updates find the entry changed; @updates counts all. */
static unsigned int losing, updates;

#define __atomic_compare_exchange_n(ptr, old, val, weak, success, failure)                         \
	(updates++, losing ? losing--, false : __sync_bool_compare_and_swap(ptr, *(old), val))

#include "vtd_dma.h"

#define NONE DMA_NO_PASID
#define DTE  BIT(2)
#define IOVA 0x40000000ULL
#define PAGE 0x9000ULL

#define FS_A BIT(5)
#define FS_D BIT(6)
#define SS_A BIT(8)
#define SS_D BIT(9)

/* Entries and tables of one stage with one page. */
static u64 start_pages(bool fs, u64 flags)
{
	u64 top, ctx, pte;

	start(VTD_TTM_SCALABLE);
	vtd.ecap |= ECAP_SSADS;
	top = page_new();
	if (fs)
		pasid_set(&vtd, SID, 0, PE(1) | flags, 5 | PE_PWSNP, top);
	else
		pasid_set(&vtd, SID, 0, PE(2) | PE_AW48 | BIT(9) | top | flags, 5 | PE_PWSNP, 0);
	ctx = sm_context_set(&vtd, SID);
	put(ctx, get(ctx) | DTE);
	pte = table_map(top, 4, IOVA, 1, PAGE | 7, 7);
	if (!fs)
		put(pte, PAGE | 3);
	losing = updates = 0;
	return pte;
}

static void test_stage(bool fs, u8 reason)
{
	const u64 flags = fs ? FS_A | FS_D : SS_A | SS_D;
	const char *stage = fs ? "first stage" : "second stage";
	u64 pte = start_pages(fs, 0), before = get(pte);

	losing = WALK_RETRIES;
	ok(dma(SID, NONE, IOVA, W) && out_gpa == PAGE, "%s: an update lost %u times is made", stage,
	   WALK_RETRIES);
	eq(get(pte), before | flags, "%s: accessed and dirty", stage);
	eq(updates, WALK_RETRIES + 4, "%s: one of each entry that succeeds", stage);
	eq(n_faults, 0, "%s: and no fault", stage);

	start_pages(fs, 0);
	losing = ~0u;
	ok(!dma(SID, NONE, IOVA, W), "%s: a guest that never lets go is refused", stage);
	ok(n_faults == 1 && last_fault.reason == reason, "%s: reason %02xh", stage, reason);
	eq(updates, WALK_RETRIES + 1, "%s: after so many tries and no more", stage);
	losing = 0;
	ok(dma(SID, NONE, IOVA, W), "%s: later it is translated", stage);

	start_pages(fs, BIT(1));
	losing = ~0u;
	dma(SID, NONE, IOVA, R);
	ok(last_fault.reason == reason && last_fault.fpd, "%s: FPD makes the fault quiet", stage);
}

/* Table 30: of the first stage, answered without rights and reported; of the second, refused. */
static void test_ats(void)
{
	const struct dma_req req = { .addr = IOVA, .pasid = NONE, .sid = SID, .access = R };
	struct dma_ats ats;

	start_pages(true, 0);
	losing = ~0u;
	eq(vtd_dma_ops.ats(&vtd, &req, &ats), 0, "first stage: a translation request is answered");
	eq(ats.perm, 0, "with no rights");
	ok(n_faults == 1 && last_fault.reason == 0x91 && last_fault.kind == VTD_TRANSLATION,
	   "and reported as well");
	start_pages(false, 0);
	losing = ~0u;
	eq(vtd_dma_ops.ats(&vtd, &req, &ats), -EFAULT, "second stage: it is refused");
	ok(n_faults == 1 && last_fault.reason == 0x7d, "and reported");
}

int main(void)
{
	test_stage(true, 0x91);
	test_stage(false, 0x7d);
	test_ats();
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
