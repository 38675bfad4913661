/* SPDX-License-Identifier: GPL-2.0-only */
/* CAP and ECAP from the options, and every dependency that VT-d 11.4.2 and 11.4.3 state. */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"

static u64 cap, ecap;

/* The default (or nested) configuration with @list applied: 0 or the error, cap and ecap set. */
static int build(const struct vtd_config *base, const char *list)
{
	struct vtd_config cfg = *base;
	int err = vtd_cap__parse(list, &cfg);

	cap = ecap = 0;
	return err ? err : vtd_cap__build(&cfg, &cap, &ecap);
}

static void test_default(void)
{
	eq(build(&vtd_config_emulated, NULL), 0, "the default is consistent");
	eq(FIELD(cap, 2, 0), 6, "ND: 16-bit domain ids");
	eq(cap & (BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(23) | BIT(38) | BIT(57) | BIT(58)), 0,
	   "no RWBF, PLMR, PHMR; reserved bits of CAP are zero");
	eq(cap & BIT(7), 0, "CM is off");
	eq(FIELD(cap, 12, 8), 6, "SAGAW: 39 and 48 bits");
	eq(FIELD(cap, 21, 16), 47, "MGAW: 48 bits");
	eq(FIELD(cap, 33, 24) * 16, VTD_FRCD, "FRO points at the fault records");
	eq(FIELD(cap, 37, 34), 3, "SSLPS: 2 MiB and 1 GiB");
	eq(FIELD(cap, 47, 40), VTD_NFRCD - 1, "NFR");
	eq(FIELD(cap, 53, 48), 18, "MAMV");
	eq(cap & (BIT(39) | BIT(54) | BIT(55) | BIT(56) | BIT(60) | BIT(62) | BIT(63)),
	   BIT(39) | BIT(54) | BIT(55) | BIT(56) | BIT(60) | BIT(62) | BIT(63),
	   "PSI, DWD, DRD, FS1GP, FS5LP, ESIRTPS, ESRTPS");
	eq(cap & (BIT(59) | BIT(61)), 0, "no PI, ECMDS");
	eq(FIELD(ecap, 17, 8) * 16, VTD_IVA, "IRO points at IVA");
	eq(FIELD(ecap, 23, 20), 15, "MHMV");
	eq(FIELD(ecap, 39, 35), 19, "PSS: 20 bits");
	eq(ecap & ~(GENMASK(17, 8) | GENMASK(23, 20) | GENMASK(39, 35)),
	   BIT(0) | BIT(1) | BIT(2) | BIT(29) | BIT(33) | BIT(42) | BIT(3) | BIT(4) | BIT(6) |
	       BIT(7) | BIT(26) | BIT(31) | BIT(34) | BIT(40) | BIT(43) | BIT(46) | BIT(47) |
	       BIT(45) | BIT(48),
	   "C QI DT IR EIM PT SC NEST PRS SRS NWFS EAFS PASID PDS SMTS SSADS SSTS FSTS SMPWCS "
	   "and nothing else");
	ok(VTD_FRCD + 16 * VTD_NFRCD <= 0x1000 && VTD_IOTLB + 8 <= VTD_FRCD,
	   "the movable registers fit and do not overlap");
}

static void test_options(void)
{
	eq(build(&vtd_config_emulated, "aw=39"), 0, "aw=39");
	eq(FIELD(cap, 12, 8) << 8 | FIELD(cap, 21, 16), 2 << 8 | 38, "SAGAW 39, MGAW 39");
	eq(ecap & (BIT(26) | BIT(46) | BIT(47)), BIT(46), "SSTS alone: a first stage has 48 bits");
	eq(cap & (BIT(56) | BIT(60)), 0, "and no FS1GP or FS5LP");
	eq(build(&vtd_config_emulated, "aw=39,fs"), 0, "with fs");
	eq(ecap & (BIT(46) | BIT(47)), BIT(46) | BIT(47), "it is there");
	eq(build(&vtd_config_emulated, "aw=39,nest"), -EINVAL, "nest does not bring it");
	eq(build(&vtd_config_emulated, "ss=off,aw=39"), 0, "without ss");
	eq(ecap & (BIT(46) | BIT(47)), BIT(47), "it is there as well");
	eq(build(&vtd_config_emulated, "aw=57"), 0, "aw=57");
	eq(FIELD(cap, 12, 8) << 8 | FIELD(cap, 21, 16), 14 << 8 | 56, "SAGAW 39 48 57, MGAW 57");
	eq(build(&vtd_config_emulated, "5lp,cm=on"), 0, "5lp and cm");
	eq(cap & (BIT(60) | BIT(7)), BIT(60) | BIT(7), "FS5LP and CM");
	eq(build(&vtd_config_emulated, "ssad=off"), 0, "ssad=off");
	eq(ecap & BIT(45), 0, "no SSADS");
	eq(build(&vtd_config_emulated, "pasid=12"), 0, "pasid=12");
	eq(FIELD(ecap, 40, 35), 32 | 11, "PASID, PSS 11");
	eq(build(&vtd_config_emulated, "pasid=off"), 0, "pasid=off");
	eq(FIELD(ecap, 40, 35), 0, "no PASID, PSS 0");
	eq(build(&vtd_config_emulated, "pasid"), 0, "pasid alone");
	eq(FIELD(ecap, 39, 35), 19, "is 20 bits");
	eq(build(&vtd_config_emulated, "1gp=off,srs=off,sc=off,pt=off"), 0, "several off");
	eq((cap & BIT(56)) | (ecap & (BIT(31) | BIT(7) | BIT(6))), 0, "are off");
}

static void test_follow(void)
{
	eq(build(&vtd_config_emulated, "scalable=off"), 0,
	   "scalable=off takes what needs it along");
	eq(ecap & (BIT(26) | BIT(31) | BIT(34) | GENMASK(40, 35) | BIT(43) | GENMASK(48, 46) |
		   BIT(29) | BIT(42) | BIT(45)),
	   0, "nothing of scalable mode is left in ECAP");
	eq(cap & (BIT(56) | BIT(60)), 0, "nor in CAP");
	eq(FIELD(cap, 12, 8), 6, "the legacy second stage is");
	eq(build(&vtd_config_emulated, "ir=off"), 0, "ir=off");
	eq((ecap & (BIT(3) | BIT(4) | GENMASK(23, 20))) | (cap & BIT(62)), 0,
	   "takes EIM, MHMV and ESIRTPS along");
	eq(build(&vtd_config_emulated, "ss=off"), 0, "ss=off");
	eq(ecap & (BIT(46) | BIT(45) | BIT(26)), 0, "takes NEST and SSADS along");
	eq(build(&vtd_config_emulated, "ats=off"), 0, "ats=off");
	eq(ecap & (BIT(2) | BIT(29) | BIT(33) | BIT(42)), 0, "takes NWFS, PRS and PDS along");
	eq(build(&vtd_config_emulated, "pri=off"), 0, "pri=off");
	eq(ecap & (BIT(2) | BIT(29) | BIT(33) | BIT(42)), BIT(2) | BIT(33),
	   "takes PDS along and leaves DT");
	eq(build(&vtd_config_emulated, "smpwc=off"), 0, "smpwc=off");
	eq(ecap & (BIT(34) | BIT(45)), 0, "takes EAFS and SSADS along");
}

static void test_refused(void)
{
	static const char *const lists[] = {
		"scalable=off,fs",
		"scalable=off,ss",
		"scalable=off,pasid=20",
		"scalable=off,srs",
		"scalable=off,smpwc",
		"fs=off,nest",
		"ss=off,nest",
		"fs=off,1gp",
		"fs=off,5lp",
		"fs=off,eafs",
		"smpwc=off,eafs",
		"ir=off,eim",
		"ats=off,pri",
		"scalable=off,pri",
		"fs=off,ss=off",
		"ss=off,ssad",
		"smpwc=off,ssad",
		"aw=40",
		"aw=0",
		"aw",
		"aw=x",
		"pasid=0",
		"pasid=21",
		"pasid=-1",
		"pasid=",
		"bogus",
		"fs=maybe",
		"fs=",
		"=on",
		"FS",
		"a-very-long-option-name-that-is-not-one",
		"aw=99999999999999999999",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		errors_printed = 0;
		eq(build(&vtd_config_emulated, lists[i]), -EINVAL, "\"%s\" is refused", lists[i]);
		eq(errors_printed, 1, "with one line");
	}
	eq(build(&vtd_config_emulated, ""), 0, "an empty list is fine");
	eq(build(&vtd_config_emulated, ",,fs,"), -EINVAL, "empty items are not");
}

static void test_nested(void)
{
	const struct vtd_config nested = vtd_config_nested;

	eq(build(&nested, NULL), 0, "vtd-nested is consistent");
	eq(FIELD(cap, 12, 8), 0, "SAGAW is 0");
	ok(FIELD(cap, 21, 16) != 0, "MGAW is not");
	eq(FIELD(cap, 37, 34), 0, "no second-stage large pages");
	ok(cap & BIT(7), "CM is set");
	eq(ecap & (BIT(46) | BIT(26) | BIT(7)), 0, "no SSTS, NEST, SC");
	eq(ecap & (BIT(2) | BIT(29) | BIT(42)), 0, "no DT, PRS, PDS");
	eq(ecap & (BIT(43) | BIT(47) | BIT(6)), BIT(43) | BIT(47) | BIT(6), "SMTS, FSTS, PT");
	eq(build(&nested, "cm=off"), -EINVAL, "cm=off is refused");
	eq(build(&nested, "ss"), -EINVAL, "ss is refused");
	eq(build(&nested, "ss,nest"), -EINVAL, "nest is refused");
	eq(build(&nested, "sc"), -EINVAL, "sc is refused");
	eq(build(&nested, "scalable=off"), -EINVAL, "scalable=off is refused");
	eq(build(&nested, "fs=off"), -EINVAL, "fs=off is refused");
	eq(build(&nested, "pasid=off,5lp=off"), 0, "narrowing is fine");
	eq((cap & BIT(60)) | (ecap & BIT(40)), 0, "and narrows");
}

static void test_print(void)
{
	char text[1024];
	FILE *f = fmemopen(text, sizeof(text), "w");

	build(&vtd_config_emulated, NULL);
	vtd_cap__print(cap, ecap, f);
	fclose(f);
	ok(strstr(text, "cap: 0x") == text && strstr(text, " FS1GP") && strstr(text, "mgaw=48"),
	   "CAP by name");
	ok(strstr(text, "\necap: 0x") && strstr(text, " NEST ") &&
	       strstr(text, "pasid-bits=20\n") == 0 && strstr(text, "pasid-bits=20"),
	   "ECAP by name");
	ok(!strstr(text, "ECMDS") && !strstr(text, "CM"), "and not what is off");
}

int main(void)
{
	test_default();
	test_options();
	test_follow();
	test_refused();
	test_nested();
	test_print();
	return tap_done();
}
