/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_NAMES_H
#define IOMMU_NAMES_H

/* What the specification calls things by number, for traces, `lkvm debug` and `lkvm stat`. */

#include "iommu/vtd.h"
#include "iommu/vtd_regs.h"

/* The register with the dword at @off (11.4); of one of 64 bits, "_HI" is the upper. */
static inline const char *vtd_name__reg(u32 off)
{
#define N32(reg) [VTD_##reg / 4] = #reg
#define N64(reg) N32(reg), [VTD_##reg / 4 + 1] = #reg "_HI"
	static const char *const names[] = {
		N32(VER),    N64(CAP),	   N64(ECAP),	N32(GCMD),   N32(GSTS),	  N64(RTADDR),
		N64(CCMD),   N32(FSTS),	   N32(FECTL),	N32(FEDATA), N32(FEADDR), N32(FEUADDR),
		N64(IQH),    N64(IQT),	   N64(IQA),	N32(ICS),    N32(IECTL),  N32(IEDATA),
		N32(IEADDR), N32(IEUADDR), N64(IQERCD), N64(IRTA),   N64(PQH),	  N64(PQT),
		N64(PQA),    N32(PRS),	   N32(PECTL),	N32(PEDATA), N32(PEADDR), N32(PEUADDR),
		N64(IVA),    N64(IOTLB),
	};
#undef N64
#undef N32

	if (off >= VTD_FRCD && off < VTD_FRCD + 16 * VTD_NFRCD)
		return "FRCD";
	return off / 4 < ARRAY_SIZE(names) && names[off / 4] ? names[off / 4] : "reserved";
}

/* An invalidation descriptor's type (6.5.2.1-12), without the "_dsc" that all end in; NULL: none. */
static inline const char *vtd_name__desc(u32 type)
{
	static const char *const names[] = {
		[1] = "cc_inv",	 [2] = "iotlb_inv",	[3] = "dev_tlb_inv",
		[4] = "iec_inv", [5] = "inv_wait",	[6] = "p_iotlb_inv",
		[7] = "pc_inv",	 [8] = "p_dev_tlb_inv", [9] = "page_grp_resp",
	};

	return type < ARRAY_SIZE(names) ? names[type] : NULL;
}

/* IQERCD.IQEI (11.4.9.9), in a word; NULL: none. */
static inline const char *vtd_name__iqei(u32 iqei)
{
	static const char *const names[] = {
		[1] = "tail",  [2] = "fetch",	  [3] = "type", [4] = "reserved",
		[5] = "width", [6] = "alignment", [7] = "ttm",
	};

	return iqei < ARRAY_SIZE(names) ? names[iqei] : NULL;
}

static inline const char *vtd_name__pgtt(u32 pgtt)
{
	static const char *const names[] = {
		[VTD_PGTT_FS] = "first-stage",
		[VTD_PGTT_SS] = "second-stage",
		[VTD_PGTT_NESTED] = "nested",
		[VTD_PGTT_PT] = "pass-through",
	};

	return pgtt < ARRAY_SIZE(names) && names[pgtt] ? names[pgtt] : "invalid";
}

#endif
