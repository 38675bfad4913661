/* SPDX-License-Identifier: GPL-2.0-only */
/* Root, context and PASID entries (VT-d 9.1-9.6): what each decodes to, and every reason to refuse. */

#include "vtd_flip.h"
#include "vtd_guest.h"

#define SID	     0x0010 /* 00:02.0 */
#define SIDUP	     0x0090 /* 00:12.0: the upper half of a scalable-mode root entry */
#define RAM_END_PAGE (GUEST_RAM + 4 * KiB)

static struct vtd vtd;
static struct vtd_ctx ctx;
static struct vtd_fault fault;

enum where { NOTHING, ROOT, CTX, DIR, PE_, CAP, ECAP, RTADDR };

struct test {
	const char *what;
	enum where where;
	int word;
	u64 clear, set;
	u32 pasid;
	u8 want; /* reason */
	bool fpd;
};

#define NONE DMA_NO_PASID
#define ALL  (~0ULL)

static const struct test legacy_tests[] = {
	{ "untouched", NOTHING, 0, 0, 0, NONE, 0, false },
	{ "PASID in legacy mode", NOTHING, 0, 0, 0, 5, 0x31, false },
	{ "root table outside RAM", RTADDR, 0, ALL, RAM_END_PAGE, NONE, 0x08, false },
	{ "root P=0", ROOT, 0, 1, 0, NONE, 0x01, false },
	{ "root reserved bit 1", ROOT, 0, 0, BIT(1), NONE, 0x0a, false },
	{ "root reserved bit 11", ROOT, 0, 0, BIT(11), NONE, 0x0a, false },
	{ "root pointer above HAW", ROOT, 0, 0, BIT(46), NONE, 0x0a, false },
	{ "root high qword", ROOT, 1, 0, BIT(0), NONE, 0x0a, false },
	{ "context table outside RAM", ROOT, 0, ALL, RAM_END_PAGE | 1, NONE, 0x09, false },
	{ "context P=0", CTX, 0, 1, 0, NONE, 0x02, false },
	{ "context P=0, FPD counts", CTX, 0, 1, 2, NONE, 0x02, true },
	{ "context reserved bit 4", CTX, 0, 0, BIT(4), NONE, 0x0b, false },
	{ "context reserved bit 11", CTX, 0, 0, BIT(11), NONE, 0x0b, false },
	{ "context SSPTPTR above HAW", CTX, 0, 0, BIT(46), NONE, 0x0b, false },
	{ "the same with FPD", CTX, 0, 0, BIT(46) | 2, NONE, 0x0b, true },
	{ "context reserved bit 71", CTX, 1, 0, BIT(7), NONE, 0x0b, false },
	{ "context reserved bit 88", CTX, 1, 0, BIT(24), NONE, 0x0b, false },
	{ "context reserved bit 127", CTX, 1, 0, BIT(63), NONE, 0x0b, false },
	{ "context ignored bits 70:67", CTX, 1, 0, BIT(3) | BIT(6), NONE, 0, false },
	{ "TT=01", CTX, 0, 0, 1 << 2, NONE, 0, false },
	{ "TT=10", CTX, 0, 0, 2 << 2, NONE, 0, false },
	{ "TT=10 ignores SSPTPTR", CTX, 0, 0, 2 << 2 | BIT(60), NONE, 0, false },
	{ "TT=11", CTX, 0, 0, 3 << 2, NONE, 0x03, false },
	{ "AW=0", CTX, 1, 7, 0, NONE, 0x03, false },
	{ "AW=1", CTX, 1, 7, 1, NONE, 0, false },
	{ "AW=3 without 57 bits", CTX, 1, 7, 3, NONE, 0x03, false },
	{ "AW=4", CTX, 1, 7, 4, NONE, 0x03, false },
	{ "TTM=10", RTADDR, 0, 3 << 10, 2 << 10, NONE, 0x30, false },
	{ "TTM=11 without ADMS", RTADDR, 0, 0, 3 << 10, NONE, 0x30, false },
};

static const struct test sm_tests[] = {
	{ "untouched", NOTHING, 0, 0, 0, NONE, 0, false },
	{ "untouched, PASID 7", NOTHING, 0, 0, 0, 7, 0, false },
	{ "SMTS=0", ECAP, 0, BIT(43), 0, NONE, 0x30, false },
	{ "root table outside RAM", RTADDR, 0, GENMASK(63, 12), RAM_END_PAGE, NONE, 0x38, false },
	{ "root LP=0", ROOT, 0, 1, 0, NONE, 0x39, false },
	{ "root reserved bit 1", ROOT, 0, 0, BIT(1), NONE, 0x3a, false },
	{ "root pointer above HAW", ROOT, 0, 0, BIT(50), NONE, 0x3a, false },
	{ "root upper half is not looked at", ROOT, 1, 0, ALL, NONE, 0, false },
	{ "context table outside RAM", ROOT, 0, ALL, RAM_END_PAGE | 1, NONE, 0x40, false },
	{ "context P=0", CTX, 0, 1, 0, NONE, 0x41, false },
	{ "context P=0, FPD counts", CTX, 0, 1, 2, NONE, 0x41, true },
	{ "context bit 7", CTX, 0, 0, BIT(7), NONE, 0x42, false },
	{ "context bit 8", CTX, 0, 0, BIT(8), NONE, 0x42, false },
	{ "context DTE", CTX, 0, 0, BIT(2), NONE, 0, false },
	{ "context DTE and PRE", CTX, 0, 0, BIT(2) | BIT(4), NONE, 0, false },
	{ "context PASIDE without PASID", ECAP, 0, BIT(40), 0, NONE, 0x42, false },
	{ "context PRE without DTE", CTX, 0, 0, BIT(4), NONE, 0x43, false },
	{ "context HPTE without HPTS", CTX, 0, 0, BIT(5), NONE, 0x42, false },
	{ "context EPTR without PTRS", CTX, 0, 0, BIT(6), NONE, 0x42, false },
	{ "context pointer above HAW", CTX, 0, 0, BIT(46), NONE, 0x42, false },
	{ "context RID_PRIV without RPRIVS", CTX, 1, 0, BIT(20), NONE, 0x42, false },
	{ "context RID_PASID without RPS", CTX, 1, 0, 1, NONE, 0x42, false },
	{ "context bit 85", CTX, 1, 0, BIT(21), NONE, 0x42, false },
	{ "context bit 128", CTX, 2, 0, 1, NONE, 0x42, false },
	{ "context bit 255", CTX, 3, 0, BIT(63), NONE, 0x42, false },
	{ "context reserved with FPD", CTX, 0, 0, BIT(7) | 2, NONE, 0x42, true },
	{ "PASIDE=0, no PASID", CTX, 0, BIT(3), 0, NONE, 0, false },
	{ "PASIDE=0, PASID", CTX, 0, BIT(3), 0, 7, 0x45, false },
	{ "PASID above PSS", NOTHING, 0, 0, 0, BIT(20), 0x89, false },
	{ "PASID above PDTS", NOTHING, 0, 0, 0, BIT(13), 0x46, false },
	{ "last PASID of PDTS", NOTHING, 0, 0, 0, BIT(13) - 1, 0x51, false },
	{ "PDTS larger", CTX, 0, 0, 1 << 9, BIT(13), 0x51, false },
	{ "PASID is RID_PASID", NOTHING, 0, 0, 0, 0, 0x48, false },
	{ "directory outside RAM", CTX, 0, GENMASK(51, 12), RAM_END_PAGE, NONE, 0x50, false },
	{ "directory P=0", DIR, 0, 1, 0, NONE, 0x51, false },
	{ "directory P=0, FPD counts", DIR, 0, 1, 2, NONE, 0x51, true },
	{ "directory bit 2", DIR, 0, 0, BIT(2), NONE, 0x52, false },
	{ "directory bit 11", DIR, 0, 0, BIT(11), NONE, 0x52, false },
	{ "directory pointer above HAW", DIR, 0, 0, BIT(46) | 2, NONE, 0x52, true },
	{ "PASID table outside RAM", DIR, 0, GENMASK(51, 12), RAM_END_PAGE, NONE, 0x58, false },
	{ "PASID entry P=0", PE_, 0, 1, 0, NONE, 0x59, false },
	{ "PASID entry P=0, FPD counts", PE_, 0, 1, 2, NONE, 0x59, true },
	{ "PASID entry bit 5", PE_, 0, 0, BIT(5), NONE, 0x5a, false },
	{ "PASID entry bit 10", PE_, 0, 0, BIT(10), NONE, 0x5a, false },
	{ "PASID entry bit 11 with FPD", PE_, 0, 0, BIT(11) | 2, NONE, 0x5a, true },
	{ "AW is ignored for first-stage", PE_, 0, 0, 7 << 2, NONE, 0, false },
	{ "SSPTPTR is ignored for first-stage", PE_, 0, 0, GENMASK(45, 12), NONE, 0, false },
	{ "but not what is above HAW", PE_, 0, 0, BIT(46), NONE, 0x5a, false },
	{ "SSADE is ignored for first-stage", PE_, 0, 0, BIT(9), NONE, 0, false },
	{ "PASID entry bit 80", PE_, 1, 0, BIT(16), NONE, 0x5a, false },
	{ "PASID entry bit 86", PE_, 1, 0, BIT(22), NONE, 0x5a, false },
	{ "PWSNP without SMPWCS", ECAP, 0, BIT(48), 0, NONE, 0x5a, false },
	{ "PGSNP with SC", PE_, 1, 0, BIT(24), NONE, 0, false },
	{ "CD without MTS", PE_, 1, 0, BIT(25), NONE, 0x5a, false },
	{ "EMTE without MTS", PE_, 1, 0, BIT(26), NONE, 0x5a, false },
	{ "PASID entry bit 91", PE_, 1, 0, BIT(27), NONE, 0x5a, false },
	{ "PAT without MTS", PE_, 1, 0, BIT(40), NONE, 0x5a, false },
	{ "SRE with SRS", PE_, 2, 0, BIT(0), NONE, 0, false },
	{ "PASID entry bit 129", PE_, 2, 0, BIT(1), NONE, 0x5a, false },
	{ "bits 134:133 are ignored", PE_, 2, 0, 3 << 5, NONE, 0, false },
	{ "EAFE with EAFS", PE_, 2, 0, BIT(7), NONE, 0, false },
	{ "PASID entry bit 136", PE_, 2, 0, BIT(8), NONE, 0x5a, false },
	{ "PASID entry bit 139", PE_, 2, 0, BIT(11), NONE, 0x5a, false },
	{ "FSPTPTR above HAW", PE_, 2, 0, BIT(46), NONE, 0x5a, false },
	{ "PASID entry bit 192", PE_, 3, 0, 1, NONE, 0x5a, false },
	{ "HPTSZ", PE_, 4, 0, 1, NONE, 0x5a, false },
	{ "HPTDID", PE_, 5, 0, 1, NONE, 0x5a, false },
	{ "PASID entry bit 384", PE_, 6, 0, 1, NONE, 0x5a, false },
	{ "PASID entry bit 511", PE_, 7, 0, BIT(63), NONE, 0x5a, false },
	{ "PGTT=0", PE_, 0, 7 << 6, 0, NONE, 0x5b, false },
	{ "PGTT=5", PE_, 0, 7 << 6, 5 << 6, NONE, 0x5b, false },
	{ "PGTT=7 with FPD", PE_, 0, 7 << 6, 7 << 6 | 2, NONE, 0x5b, true },
	{ "first-stage without FSTS", ECAP, 0, BIT(47), 0, NONE, 0x5a, false },
	{ "FSPM=1 with FS5LP", PE_, 2, 0, 1 << 2, NONE, 0, false },
	{ "FSPM=2", PE_, 2, 0, 2 << 2, NONE, 0x5b, false },
	{ "PGTT=4", PE_, 0, 7 << 6, 4 << 6, NONE, 0, false },
	{ "FSPM=3", PE_, 2, 0, 3 << 2, NONE, 0x5b, false },
	{ "PGTT=2, AW=0", PE_, 0, 7 << 6, 2 << 6, NONE, 0x5b, false },
	{ "PGTT=2, AW=2", PE_, 0, 7 << 6, 2 << 6 | 2 << 2, NONE, 0, false },
	{ "PGTT=2, AW=3", PE_, 0, 7 << 6, 2 << 6 | 3 << 2, NONE, 0x5b, false },
	{ "PGTT=2, SSPTPTR above HAW", PE_, 0, 7 << 6, 2 << 6 | 2 << 2 | BIT(46), NONE, 0x5a,
	  false },
	{ "PGTT=2, SSADE", PE_, 0, 7 << 6, 2 << 6 | 2 << 2 | BIT(9), NONE, 0, false },
	{ "PGTT=3, AW=2", PE_, 0, 7 << 6, 3 << 6 | 2 << 2, NONE, 0, false },
	{ "PGTT=3, AW=1, FSPTPTR within", PE_, 0, 7 << 6, 3 << 6 | 1 << 2, NONE, 0, false },
};

static void mutate(const struct test *t)
{
	u64 gpa = 0;

	switch (t->where) {
	case NOTHING:
		return;
	case ROOT:
		gpa = root_gpa(&vtd, SID);
		break;
	case CTX:
		gpa = context_gpa(&vtd, SID);
		break;
	case DIR:
		gpa = dir_gpa(&vtd, SID, 0);
		break;
	case PE_:
		gpa = pasid_gpa(&vtd, SID, 0);
		break;
	case CAP:
		vtd.cap = (vtd.cap & ~t->clear) | t->set;
		return;
	case ECAP:
		vtd.ecap = (vtd.ecap & ~t->clear) | t->set;
		return;
	case RTADDR:
		vtd.root = (vtd.root & ~t->clear) | t->set;
		return;
	}
	gpa += t->word * 8;
	put(gpa, (get(gpa) & ~t->clear) | t->set);
}

static void run(const char *mode, const struct test *t)
{
	int err;

	mutate(t);
	fault = (struct vtd_fault){ .addr = 0x1234, .sid = SID };
	err = vtd_entry__lookup(&vtd, SID, t->pasid, &ctx, &fault);
	ok(err == (t->want ? -EFAULT : 0) && fault.reason == t->want && fault.fpd == t->fpd,
	   "%s: %s: %02xh%s", mode, t->what, t->want, t->fpd ? " with FPD" : "");
	if (fault.reason != t->want)
		printf("# reason %02xh\n", fault.reason);
	if (fault.addr != 0x1234 || fault.sid != SID)
		ok(false, "the caller's fields are left alone");
}

static void legacy_good(void)
{
	unit_init(&vtd, config_all(), VTD_TTM_LEGACY);
	legacy_set(&vtd, SID, 0x100000 | 1, 9 << 8 | 2);
}

static void sm_good(void)
{
	unit_init(&vtd, config_all(), VTD_TTM_SCALABLE);
	pasid_set(&vtd, SID, 0, PE(1), 5 | PE_PWSNP, 0x200000);
	pasid_set(&vtd, SID, 7, PE(1), 6 | PE_PWSNP, 0x300000);
}

static void test_decode(void)
{
	u32 rid;

	legacy_good();
	vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault);
	ok(ctx.legacy && ctx.pgtt == VTD_PGTT_SS && ctx.did == 9 && ctx.ssptr == 0x100000 &&
	       ctx.ss_levels == 4 && ctx.pasid == 0 && !ctx.fpd,
	   "legacy entry decodes");
	legacy_set(&vtd, SID, 2 << 2 | 1 | 2, 3 << 8 | 1);
	vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault);
	ok(ctx.legacy && ctx.pgtt == VTD_PGTT_PT && ctx.did == 3 && ctx.fpd,
	   "legacy pass-through decodes");
	legacy_set(&vtd, SID, 2 << 2 | 1, 3 << 8);
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x3,
	   "with an AW that is not supported it is invalid");
	vtd.cap &= ~GENMASK(12, 8);
	eq(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault), 0, "unless none is");
	eq(vtd_entry__pasids(&vtd, SID, &rid), 0, "legacy mode has no PASIDs");

	sm_good();
	pasid_set(&vtd, SID, 7, PE(3) | 1 << 2 | 0x400000 | BIT(9), 77 | PE_PWSNP,
		  0x500000 | BIT(0) | 1 << 2 | BIT(4) | BIT(7));
	eq(vtd_entry__lookup(&vtd, SID, 7, &ctx, &fault), 0, "nested entry is accepted");
	ok(!ctx.legacy && ctx.pgtt == VTD_PGTT_NESTED && ctx.did == 77 && ctx.pasid == 7 &&
	       ctx.fsptr == 0x500000 && ctx.fs_levels == 5 && ctx.sre && ctx.wpe && ctx.eafe &&
	       ctx.pwsnp && ctx.ssptr == 0x400000 && ctx.ss_levels == 3 && ctx.ssade,
	   "nested entry decodes");
	eq(ctx.raw[1], 77 | PE_PWSNP, "the entry as read is kept");
	pasid_set(&vtd, SID, 7, PE(3) | 1 << 2 | 0x400000, 77, BIT(39));
	ok(vtd_entry__lookup(&vtd, SID, 7, &ctx, &fault) && fault.reason == 0x5b,
	   "a nested FSPTPTR beyond AW is refused");
	put(pasid_gpa(&vtd, SID, 0), PE(4));
	put(pasid_gpa(&vtd, SID, 0) + 16, 3 << 2 | BIT(45) | BIT(7) | BIT(4));
	eq(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault), 0,
	   "first-stage fields of a pass-through entry are ignored");
	put(pasid_gpa(&vtd, SID, 0) + 16, BIT(46));
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x5a,
	   "but not what is above HAW");
	put(pasid_gpa(&vtd, SID, 0), PE(4) | BIT(9));
	put(pasid_gpa(&vtd, SID, 0) + 16, 0);
	eq(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault), 0, "SSADE with SSADS is, too");
	for (u64 pgtt = 1; pgtt <= 4; pgtt++) {
		sm_good();
		vtd.ecap &= ~ECAP_SSADS;
		pasid_set(&vtd, SID, 0, PE(pgtt) | PE_AW48 | BIT(9), 1, 0);
		ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x5a,
		   "PGTT=%llu, SSADE without SSADS", pgtt);
	}

	/* Capabilities that this unit does not offer today decide all the same. */
	sm_good();
	vtd.ecap |= ECAP_RPS | ECAP_RPRIVS | ECAP_DT | ECAP_PRS;
	put(context_gpa(&vtd, SID) + 8, 7 | BIT(20));
	eq(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault), 0, "RID_PASID with RPS");
	ok(ctx.pasid == 7 && ctx.did == 6 && ctx.rid_priv, "RID_PASID and RID_PRIV are used");
	eq(vtd_entry__pasids(&vtd, SID, &rid), BIT(13), "PDTS 0 is 8192 PASIDs");
	eq(rid, 7, "RID_PASID is told");
	ok(vtd_entry__lookup(&vtd, SID, 7, &ctx, &fault) && fault.reason == 0x48,
	   "PASID 7 is RID_PASID now");
	put(context_gpa(&vtd, SID) + 8, BIT(13));
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x43,
	   "RID_PASID above PDTS");
	put(context_gpa(&vtd, SID) + 8, 0);
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) | BIT(4));
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x43,
	   "PRE without DTE");
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) | BIT(2));
	eq(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault), 0, "PRE with DTE");

	/* 9.6: the fields of a stage that is not there are reserved; of AW see entry_sm.c. */
	for (unsigned int i = 0; i < 4; i++) {
		static const u64 fields[] = { BIT(2), BIT(4), BIT(12), BIT(45) };

		sm_good();
		vtd.ecap &= ~(ECAP_FSTS | ECAP_EAFS | ECAP_NEST);
		pasid_set(&vtd, SID, 0, PE(4), 1, fields[i]);
		ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x5a,
		   "first-stage field %#llx without FSTS", fields[i]);
	}
	pasid_set(&vtd, SID, 0, PE(1), 1, 0);
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x5b,
	   "PGTT=1 without FSTS");
	sm_good();
	vtd.ecap &= ~(ECAP_SSTS | ECAP_SSADS | ECAP_NEST);
	put(pasid_gpa(&vtd, SID, 0), PE(1) | PE_AW48);
	eq(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault), 0, "AW without SSTS");
	put(pasid_gpa(&vtd, SID, 0), PE(1) | BIT(12));
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x5a,
	   "SSPTPTR without SSTS");

	sm_good();
	ok(vtd_entry__lookup(&vtd, SIDUP, NONE, &ctx, &fault) && fault.reason == 0x39,
	   "the upper half has its own present bit");
	pasid_set(&vtd, SIDUP, 0, PE(4), 1, 0);
	eq(vtd_entry__lookup(&vtd, SIDUP, NONE, &ctx, &fault), 0, "the upper half is found");
	ok(vtd_entry__lookup(&vtd, SIDUP + 0x100, NONE, &ctx, &fault) && fault.reason == 0x39,
	   "another bus has its own root entry");

	vtd.ecap |= ECAP_ADMS;
	vtd.root |= 3 << 10;
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x33,
	   "abort-dma mode");

	sm_good();
	vtd.cap &= ~CAP_FS5LP;
	put(pasid_gpa(&vtd, SID, 0) + 16, 1 << 2);
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x5b,
	   "FSPM=1 without FS5LP");
	vtd.ecap &= ~ECAP_PT;
	put(pasid_gpa(&vtd, SID, 0), PE(4));
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x5b,
	   "PGTT=4 without PT");
}

/* What the context entry allows each kind of request (LCT.5, SCT.5, SCT.8), and what comes first. */
static void test_kinds(void)
{
	static const struct {
		const char *what;
		u8 ttm, kind;
		u64 tt; /* context entry bits 4:2 */
		u32 pasid;
		u64 dir; /* clears these bits of the directory entry */
		u8 want;
	} t[] = {
		{ "legacy: translation", 0, 1, 1, NONE, 0, 0 },
		{ "legacy: translated", 0, 2, 1, NONE, 0, 0 },
		{ "legacy: translation, TT=00", 0, 1, 0, NONE, 0, 0x0d },
		{ "legacy: translated, TT=00", 0, 2, 0, NONE, 0, 0x0d },
		{ "legacy: translation, TT=10", 0, 1, 2, NONE, 0, 0x0d },
		{ "legacy: translated, TT=10", 0, 2, 2, NONE, 0, 0x0d },
		{ "legacy: translated, TT=11", 0, 2, 3, NONE, 0, 0x03 },
		{ "legacy: translation, PASID", 0, 1, 1, 7, 0, 0x31 },
		{ "legacy: translated, PASID", 0, 2, 1, 7, 0, 0x31 },
		{ "legacy: page request", 0, 3, 1, NONE, 0, 0x32 },
		{ "legacy: page request, PASID", 0, 3, 1, 7, 0, 0x32 },
		{ "translation", 1, 1, 1 | 2, NONE, 0, 0 },
		{ "translation, PASID", 1, 1, 1 | 2, 7, 0, 0 },
		{ "translation, DTE=0", 1, 1, 2, NONE, 0, 0x44 },
		{ "translation, PASID, DTE=0", 1, 1, 2, 7, 0, 0x44 },
		{ "translation, DTE=0 and no directory", 1, 1, 2, NONE, 1, 0x44 },
		{ "translation, no directory", 1, 1, 1 | 2, NONE, 1, 0x51 },
		{ "translation, PASIDE=0", 1, 1, 1, 7, 0, 0x45 },
		{ "translation, PASID above PSS", 1, 1, 1 | 2, BIT(20), 0, 0x89 },
		{ "translation, PASID is RID_PASID", 1, 1, 1 | 2, 0, 0, 0x48 },
		{ "translated", 1, 2, 1 | 2, NONE, 0, 0 },
		{ "translated, no directory", 1, 2, 1 | 2, NONE, 1, 0 },
		{ "translated, DTE=0", 1, 2, 2, NONE, 0, 0x44 },
		{ "translated, PASID", 1, 2, 1 | 2, 7, 0, 0x49 },
		{ "translated, PASID, DTE=0", 1, 2, 2, 7, 0, 0x44 },
		{ "page request", 1, 3, 1 | 2 | 4, NONE, 0, 0 },
		{ "page request, PASID", 1, 3, 1 | 2 | 4, 7, 0, 0 },
		{ "page request, PRE=0", 1, 3, 1 | 2, NONE, 0, 0x47 },
		{ "page request, PRE=0 and no directory", 1, 3, 1 | 2, NONE, 1, 0x47 },
		{ "page request, PRE without DTE", 1, 3, 2 | 4, NONE, 0, 0x43 },
		{ "page request, PASIDE=0", 1, 3, 1 | 4, 7, 0, 0x45 },
		{ "page request, PASID above PSS", 1, 3, 1 | 2 | 4, BIT(20), 0, 0x46 },
		{ "page request, PASID is RID_PASID", 1, 3, 1 | 2 | 4, 0, 0, 0x48 },
		{ "page request, no directory", 1, 3, 1 | 2 | 4, NONE, 1, 0x51 },
		{ "page request, no entry", 1, 3, 1 | 2 | 4, 9, 0, 0x59 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		if (t[i].ttm)
			sm_good();
		else
			legacy_good();
		if (t[i].ttm)
			put(dir_gpa(&vtd, SID, 0), get(dir_gpa(&vtd, SID, 0)) & ~t[i].dir);
		put(context_gpa(&vtd, SID),
		    (get(context_gpa(&vtd, SID)) & ~GENMASK(4, 2)) | t[i].tt << 2);
		fault = (struct vtd_fault){ .kind = t[i].kind };
		vtd_entry__lookup(&vtd, SID, t[i].pasid, &ctx, &fault);
		eq(fault.reason, t[i].want, "%s", t[i].what);
	}
	fault = (struct vtd_fault){ 0 };

	legacy_good();
	vtd.ecap &= ~ECAP_DT;
	legacy_set(&vtd, SID, 0x100000 | 1 << 2 | 1, 9 << 8 | 2);
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x03,
	   "TT=01 without DT");
	sm_good();
	vtd.ecap &= ~ECAP_PRS;
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) | BIT(2) | BIT(4));
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x42,
	   "PRE without PRS");
	sm_good();
	vtd.ecap &= ~ECAP_DT;
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) | BIT(2));
	ok(vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault) && fault.reason == 0x42,
	   "DTE without DT");
}

static void test_scan(void)
{
	u32 p = 0, found = 0, last = 0;

	sm_good();
	pasid_set(&vtd, SID, 63, PE(1), 1, 0);
	pasid_set(&vtd, SID, 64, PE(1), 1, 0);
	pasid_set(&vtd, SID, 8191, 1, 1, 0); /* present, invalid */
	pasid_set(&vtd, SID, 300, 2, 1, 0);  /* FPD only */
	put(dir_gpa(&vtd, SID, 640), RAM_END_PAGE | 1);
	put(dir_gpa(&vtd, SID, 704), BIT(4) | 1);
	for (; vtd_entry__next_pasid(&vtd, SID, &p, BIT(20)); p++) {
		found++;
		last = p;
	}
	eq(found, 5, "the scan finds what is present");
	eq(last, 8191, "to the last PASID of the directory");
	p = 64;
	ok(vtd_entry__next_pasid(&vtd, SID, &p, BIT(20)) && p == 64, "from where it is told");
	p = 65;
	ok(!vtd_entry__next_pasid(&vtd, SID, &p, 8191), "and not beyond the end");
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) & ~BIT(3));
	p = 0;
	ok(!vtd_entry__next_pasid(&vtd, SID, &p, BIT(20)), "PASIDE=0 has none");
}

/* --- Entries that are replaced at once are read at once --- */

/* The entry at @gpa changes between (@lo, @hi) of domain 1 and of domain 2, whose tables are apart. */
static void flips(u64 gpa, u64 lo, u64 hi, unsigned int did_shift, const char *what)
{
	unsigned int torn = 0, seen[2] = { 0 };

	for (u64 i = 0; i < 2; i++) {
		sides[i][0] = lo | (i + 1) << 20;
		sides[i][1] = hi | (i + 1) << did_shift;
	}
	flip_start(mem__ptr(guest_mem, gpa, 16));
	for (int i = 0; i < 1000000; i++) {
		if (vtd_entry__lookup(&vtd, SID, NONE, &ctx, &fault))
			torn++;
		else if (ctx.ssptr != (u64)ctx.did << 20)
			torn++;
		else
			seen[ctx.did - 1]++;
	}
	flip_end();
	eq(torn, 0, "%s: the domain is that of the tables", what);
	printf("# %u and %u times\n", seen[0], seen[1]);
}

static void test_whole(void)
{
	legacy_good();
	flips(context_gpa(&vtd, SID), 1, 2, 8, "a context entry is read in one piece");
	sm_good();
	flips(pasid_gpa(&vtd, SID, 0), PE(2) | PE_AW48, 0, 0, "so is half a PASID entry");
}

int main(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(legacy_tests); i++) {
		legacy_good();
		run("legacy", &legacy_tests[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(sm_tests); i++) {
		sm_good();
		run("scalable", &sm_tests[i]);
	}
	test_decode();
	test_kinds();
	test_scan();
	test_whole();
	mem__free(guest_mem);
	return tap_done();
}
