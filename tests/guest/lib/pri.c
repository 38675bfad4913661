/* SPDX-License-Identifier: GPL-2.0-only */

/* Page requests: start, queue, responses. */

#include "pri.h"

void pri_start_context(struct edu *e, u64 bits, u32 vector)
{
	pci_flr(e->devfn);
	edu_enable_ats(e, true);
	edu_enable_pri(e, 16);
	edu_mode(e, EDU_ATS | EDU_PRI);
	memset((void *)T_PRQ, 0xff, 0x1000);
	vw64(R_PQH, 0);
	vw64(R_PQT, 0);
	vw64(R_PQA, T_PRQ);
	vw32(R_PECTL, EV_IM);
	vw32(R_PRS, PRS_PPR | PRS_PRO);
	vw32(R_PEADDR, MSI_BASE);
	vw32(R_PEDATA, MSI_DATA(vector));
	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e->devfn, bits, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, 0);
	vtd_pasid(0, FS_ENTRY, PRI_DID, T_TABLES);
	vtd_pasid(PRI_PASID, FS_ENTRY, PRI_DID, T_TABLES | 1);
}

void pri_start(struct edu *e, u32 vector)
{
	pri_start_context(e, SM_DTE | SM_PASIDE | SM_PRE, vector);
}

volatile u64 *pri_desc(unsigned int n)
{
	return at64(T_PRQ + n * 32);
}

bool pri_respond(unsigned int n, u32 code)
{
	volatile u64 *d = pri_desc(n);
	u64 lo = d[0] & D_PP ? INV_RESPONSE_PASID(D_RID(d), code, D_PASID(d))
			     : INV_RESPONSE(D_RID(d), code);

	return vtd_inv(lo, RESPONSE_GROUP(D_GROUP(d)));
}
