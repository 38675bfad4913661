/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Translation requests and translated requests of a device with a device-TLB (VT-d chapter 4 and
 * 7.1.3).
 */

#include "vtd.h"

#define FS_DIR	      (FS_P | FS_RW | FS_US | FS_A)
#define SS_RW	      (SS_R | SS_W)
#define DID	      3
#define DID_FS	      4
#define PASID	      5
#define PAGE	      (IOVA & ~0xfffUL)
#define FS_ENTRY      (1 | PGTT_FS << 6)
#define SS_ENTRY      (1 | PGTT_SS << 6 | 2 << 2 | T_TABLES)
#define PWSNP	      BIT(23)
#define AT_REQUEST    1
#define AT_TRANSLATED 2

static struct edu e;
static u64 ecap;

static void start(int ttm)
{
	pci_flr(e.devfn);
	edu_enable_ats(&e, true);
	edu_mode(&e, EDU_ATS);
	vtd_start(ttm);
}

/* One scalable-mode entry, for requests without PASID. */
static void start_entry(u64 v0, u64 v1, u64 v2)
{
	start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, SM_DTE | SM_PASIDE, 0);
	vtd_pasid(0, v0, v1, v2);
}

static void start_fs(u64 leaf_bits)
{
	start_entry(FS_ENTRY, DID_FS | PWSNP, T_TABLES);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, leaf_bits);
}

static void start_ss(u64 leaf_bits)
{
	start_entry(SS_ENTRY, DID, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, SS_RW, leaf_bits);
}

/* A DMA by the device-TLB that arrives at @want, and leaves an entry of @shift bits there. */
static void translated(u64 want, unsigned int shift, const char *what)
{
	u64 to;
	u32 hit;

	report(edu_reaches(&e, IOVA, want & ~0xfffUL), "%s: DMA reaches its page", what);
	hit = edu_probe(&e, IOVA, &to);
	report_eq(hit & (EDU_HIT | EDU_HIT_R | EDU_HIT_W | EDU_HIT_U),
		  EDU_HIT | EDU_HIT_R | EDU_HIT_W, "%s: the device-TLB has it, to read and write",
		  what);
	report_eq(to, want, "%s: as the completion said", what);
	report(EDU_HIT_SHIFT(hit) >= shift, "%s: of 2^%u bytes", what, EDU_HIT_SHIFT(hit));
	report_eq(edu_get(&e, IOVA), *(volatile u32 *)want, "%s: reads come from there", what);
	report_eq(edu_reg(&e, EDU_TLB_REQUESTS), 1, "%s: without another request", what);
	report_eq(vtd_fault(NULL), 0, "%s: no fault", what);
	vtd_stop();
}

static void kinds(void)
{
	start_ss(SS_RW);
	translated(PAGE_A + OFFSET, 12, "second stage");
	start_entry(SS_ENTRY, DID, 0);
	vtd_map_2m(T_TABLES, IOVA, PAGE_A, SS_RW, SS_RW);
	translated((PAGE_A & ~0x1fffffUL) | (IOVA & 0x1fffff), 12, "second stage, 2 MiB");
	start_fs(FS_ALL);
	translated(PAGE_A + OFFSET, 12, "first stage");
	if (ecap & ECAP_NEST) {
		start_entry(1 | PGTT_NESTED << 6 | 2 << 2 | T_TABLES2, DID, T_TABLES);
		vtd_map(T_TABLES, IOVA, PAGE_B, FS_DIR, FS_ALL);
		vtd_map_2m(T_TABLES2, T_TABLES, T_TABLES, SS_RW, SS_RW);
		vtd_map_2m(T_TABLES2, PAGE_B, PAGE_C + 0x200000, SS_RW, SS_RW);
		translated(((PAGE_C + 0x200000) & ~0x1fffffUL) + (PAGE_B & 0x1fffff) + OFFSET, 12,
			   "nested");
	} else {
		report_skip("no nested translation");
	}
	start_entry(1 | PGTT_PT << 6, DID, 0);
	translated(IOVA, 21, "pass-through");
	start(TTM_LEGACY);
	vtd_map(T_TABLES, IOVA, PAGE_A, SS_RW, SS_RW);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	translated(PAGE_A + OFFSET, 12, "legacy, TT=01");

	start_entry(1 | PGTT_PT << 6, DID, 0);
	vtd_pasid(PASID, FS_ENTRY, DID_FS, T_TABLES);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, FS_ALL);
	edu_tag(&e, EDU_PASID(PASID));
	translated(PAGE_A + OFFSET, 12, "first stage with PASID");

	/* 4.2.3.1: flags are set before the completion; without NWFS any request may write. */
	start_fs(FS_P | FS_RW | FS_US);
	edu_dma(&e, IOVA, 4, false);
	report_eq(*vtd_leaf(T_TABLES, IOVA) & (FS_A | FS_D), ecap & ECAP_NWFS ? FS_A : FS_A | FS_D,
		  "a request to read sets A%s", ecap & ECAP_NWFS ? "" : " and D");
	edu_dma(&e, IOVA, 4, true);
	report_eq(*vtd_leaf(T_TABLES, IOVA) & (FS_A | FS_D), FS_A | FS_D, "one to write sets D");
	vtd_stop();
	start_fs(FS_P | FS_US);
	report_eq(edu_dma(&e, IOVA, 4, true), EDU_NO_ACCESS, "a write to a read-only page");
	report_eq(*vtd_leaf(T_TABLES, IOVA) & FS_D, 0, "does not set D");
	report_eq(edu_probe(&e, IOVA, NULL) & (EDU_HIT_R | EDU_HIT_W), EDU_HIT_R,
		  "but got permission to read");
	report_eq(edu_dma(&e, IOVA, 4, false), EDU_DONE, "which is used");
	report_eq(vtd_fault(NULL), 0, "and nothing is recorded");
	vtd_stop();
}

/* Table 30's conditions that are answered by Success without permissions. */
static void no_access(bool to_ram, const char *what)
{
	report_eq(edu_dma(&e, IOVA, 4, to_ram), EDU_NO_ACCESS, "%s: no permission", what);
	report_eq(vtd_fault(NULL), 0, "%s: and no fault", what);
	report_eq(edu_reg(&e, EDU_TLB_COUNT), 0, "%s: nothing is kept", what);
	vtd_stop();
}

static void recoverable(void)
{
	start_fs(0);
	no_access(true, "first-stage entry not present (71h)");
	start_fs(FS_ALL);
	at64(T_TABLES)[IOVA >> 39 & 511] |= FS_PS;
	no_access(true, "first-stage reserved bit (72h)");
	start_entry(FS_ENTRY, DID_FS, 0xfffffff000);
	no_access(true, "first-stage table outside of memory (73h)");
	start_ss(0);
	no_access(false, "second-stage entry not present (79h)");
	start_entry(1 | PGTT_PT << 6, DID, 0);
	at64(T_PTABLE)[0] = 0;
	no_access(true, "PASID entry not present (59h)");
	start_entry(1 | PGTT_PT << 6, DID, 0);
	*at64(T_PDIR) = 0;
	no_access(true, "PASID directory entry not present (51h)");
	start_fs(FS_P | FS_RW | FS_A | FS_D);
	no_access(true, "a user's request to a supervisor page (81h)");
	start_fs(FS_ALL);
	vtd_pasid(PASID, FS_ENTRY, DID_FS, T_TABLES);
	edu_tag(&e, EDU_PASID(PASID) | EDU_PRIV);
	no_access(true, "privileged without SRE (5Dh)");
	start_fs(FS_ALL);
	vtd_pasid(PASID, FS_ENTRY, DID_FS, T_TABLES);
	edu_tag(&e, EDU_PASID(PASID) | EDU_EXEC);
	no_access(false, "an execute request (5Ch)");

	start_fs(FS_ALL);
	report_eq(edu_put(&e, 0x800000000000, 1), EDU_NO_ACCESS, "not canonical (80h)");
	report_eq(vtd_fault(NULL), 0, "no fault");
	vtd_stop();
	start_ss(SS_RW);
	report_eq(edu_put(&e, 1UL << 48, 1), EDU_NO_ACCESS, "beyond the second stage (84h)");
	report_eq(vtd_fault(NULL), 0, "no fault");
	vtd_stop();
	start_entry(1 | PGTT_PT << 6, DID, 0);
	report_eq(edu_put(&e, 1UL << 60, 1), EDU_NO_ACCESS, "beyond memory in pass-through (83h)");
	report_eq(vtd_fault(NULL), 0, "no fault");
	vtd_stop();
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	report_eq(edu_put(&e, 1UL << 48, 1), EDU_NO_ACCESS, "legacy, beyond the tables (4h)");
	report_eq(edu_put(&e, IOVA, 1), EDU_NO_ACCESS, "legacy, not present (5h)");
	report_eq(vtd_fault(NULL), 0, "no fault");
	vtd_stop();
}

/* In a unit without device-TLBs, AT of a fault record is reserved (11.4.7.6). */
static u32 type_told(u32 at)
{
	return ecap & ECAP_DT ? at : 0;
}

/* Those that are refused, and recorded as a translation request's. */
static void refused(u32 reason, const char *what)
{
	struct fault f = { 0 };

	report_eq(edu_put(&e, IOVA, 1), EDU_REFUSED, "%s: refused", what);
	report_eq(vtd_fault(&f), reason, "%s: for reason %xh", what, reason);
	report_eq(f.at, type_told(AT_REQUEST), "%s: as a translation request", what);
	report_eq(f.sid, e.devfn, "%s: of this device", what);
	report_eq(edu_reg(&e, EDU_TLB_COUNT), 0, "%s: nothing is kept", what);
	vtd_stop();
}

static void unrecoverable(void)
{
	start_ss(SS_RW);
	vtd_context_scalable(e.devfn, SM_PASIDE, 0);
	refused(0x44, "DTE=0");
	start_ss(SS_RW);
	at64(T_CONTEXT + e.devfn * 32)[0] = 0;
	refused(0x41, "context entry not present");
	start_ss(SS_RW);
	*at64(T_ROOT) = 0;
	refused(0x39, "root entry not present");
	start_ss(SS_RW | BIT(62)); /* without SSIRWE */
	refused(0x7a, "second-stage reserved bit");
	start_entry(1 | 5 << 6, DID, 0);
	refused(0x5b, "PGTT that does not exist");
	start_ss(SS_RW);
	vtd_context_scalable(e.devfn, SM_DTE, 0);
	edu_tag(&e, EDU_PASID(PASID));
	refused(0x45, "PASIDE=0");
	start_ss(SS_RW);
	edu_tag(&e, EDU_PASID(0x2000));
	refused(0x46, "a PASID beyond the directory");
	start_ss(SS_RW);
	edu_tag(&e, EDU_PASID(0));
	refused(0x48, "RID_PASID as a PASID");
	start_ss(SS_RW);
	vtd_map(T_TABLES, IOVA, MSI_BASE, SS_RW, SS_RW);
	refused(0x87, "a page of interrupts");
	start(TTM_LEGACY);
	refused(2, "legacy, context entry not present");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | T_TABLES, 2);
	refused(0xd, "legacy, TT=00");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 2 << 2, 2);
	refused(0xd, "legacy, TT=10");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	edu_tag(&e, EDU_PASID(PASID));
	refused(0x31, "legacy, with PASID");
	start(TTM_LEGACY);
	vtd_map(T_TABLES, IOVA, PAGE_A, SS_RW, SS_RW | BIT(62));
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	refused(0xc, "legacy, reserved bit");

	start_ss(SS_RW);
	vtd_context_scalable(e.devfn, BIT(1) | SM_PASIDE, 0); /* FPD */
	report_eq(edu_put(&e, IOVA, 1), EDU_REFUSED, "DTE=0 with FPD: refused");
	report_eq(vtd_fault(NULL), 0, "and not recorded");
	vtd_stop();
	report_eq(edu_put(&e, PAGE_A, 1), EDU_REFUSED, "translation off: requests are refused");
	report_eq(vtd_fault(NULL), 0, "and not recorded");
	edu_enable_ats(&e, false);
	report_eq(edu_put(&e, PAGE_A, 1), EDU_DONE, "ATS off at the device: there are none");
}

/* S.1: the interrupt range is write only, and not to be translated. */
static void interrupt_range(void)
{
	u32 hit;

	start_ss(SS_RW);
	edu_dma(&e, MSI_BASE, 8, true);
	report_eq(vtd_fault(NULL), 0x29, "what is no interrupt is refused by the interrupt range");
	hit = edu_probe(&e, MSI_BASE, NULL);
	report_eq(hit & (EDU_HIT | EDU_HIT_R | EDU_HIT_W | EDU_HIT_U),
		  EDU_HIT | EDU_HIT_W | EDU_HIT_U, "the interrupt range: untranslated writes only");
	write32(e.regs + EDU_TLB_FLUSH, 0);
	report_eq(edu_dma(&e, MSI_BASE, 4, false), EDU_NO_ACCESS, "reads of it have no permission");
	vtd_stop();
}

/* What is forged is not asked for: the address goes out as if a completion had named it. */
static u32 forge(u64 addr, bool to_ram)
{
	vtd_faults_clear();
	edu_mode(&e, EDU_FORGED);
	return edu_dma(&e, addr, 4, to_ram);
}

static void forged_refused(u64 addr, u32 reason, const char *what)
{
	struct fault f = { 0 };

	*(volatile u32 *)PAGE_A = 0x5a5a;
	report_eq(forge(addr, true), EDU_REFUSED, "translated request, %s: refused", what);
	report_eq(vtd_fault(&f), reason, "translated request, %s: for reason %xh", what, reason);
	if (reason)
		report_eq(f.at, type_told(AT_TRANSLATED), "translated request, %s: recorded as one",
			  what);
	report_eq(*(volatile u32 *)PAGE_A, 0x5a5a, "translated request, %s: writes nothing", what);
	vtd_stop();
}

static void forged(void)
{
	start_ss(SS_RW);
	write32(e.regs + EDU_BUF, 0x77);
	report_eq(forge(PAGE_A, true), EDU_DONE, "a translated request goes where it says");
	report_eq(*(volatile u32 *)PAGE_A, 0x77, "untranslated by any table");
	report_eq(forge(PAGE_A, false), EDU_DONE, "for reads as well");
	vtd_stop();
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	report_eq(forge(PAGE_A, true), EDU_DONE, "in legacy mode with TT=01 too");
	vtd_stop();

	start_ss(SS_RW);
	vtd_context_scalable(e.devfn, 0, 0);
	forged_refused(PAGE_A, 0x44, "DTE=0");
	start_ss(SS_RW);
	at64(T_CONTEXT + e.devfn * 32)[0] = 0;
	forged_refused(PAGE_A, 0x41, "context entry not present");
	start_ss(SS_RW);
	forged_refused(1UL << 60, 0x83, "beyond memory");
	start_ss(SS_RW);
	forged_refused(MSI_BASE, 0x87, "the interrupt range");
	start_ss(SS_RW);
	edu_tag(&e, EDU_PASID(PASID));
	forged_refused(PAGE_A, 0x49, "with PASID and EPTR=0");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | T_TABLES, 2);
	forged_refused(PAGE_A, 0xd, "legacy TT=00");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 2 << 2, 2);
	forged_refused(PAGE_A, 0xd, "legacy TT=10");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	forged_refused(1UL << 60, 4, "legacy, beyond memory");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	forged_refused(MSI_BASE, 0xe, "legacy, the interrupt range");
	start_ss(SS_RW);
	vtd_stop();
	forged_refused(PAGE_A, 0, "translation off");
}

/* --viommu=vtd,ats=off */
static void without(void)
{
	start_ss(SS_RW);
	refused(0x42, "DTE is reserved");
	start_ss(SS_RW);
	vtd_context_scalable(e.devfn, 0, 0);
	refused(0x44, "a translation request without DTE");
	start_ss(SS_RW);
	vtd_context_scalable(e.devfn, 0, 0);
	forged_refused(PAGE_A, 0x44, "without DTE");
	start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	refused(3, "TT=01 does not exist");
}

int main(void)
{
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	ecap = vr64(R_ECAP);
	report(pci_ext_cap(e.devfn, EXT_CAP_ATS) && pci_ext_cap(e.devfn, EXT_CAP_PASID),
	       "the test device has ATS and PASID");
	if (!(ecap & ECAP_SMTS) || !(ecap & ECAP_PASID)) {
		report_skip("the unit offers no PASIDs");
		return 0;
	}
	if (!(ecap & ECAP_DT)) {
		without();
		return 0;
	}
	kinds();
	recoverable();
	unrecoverable();
	interrupt_range();
	forged();
	return 0;
}
