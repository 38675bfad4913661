/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_VTD_REGS_H
#define IOMMU_VTD_REGS_H

/* Offsets and bits of the register page (VT-d 11.4).  The page is VTD_SIZE bytes. */

#define VTD_VER	    0x000
#define VTD_CAP	    0x008
#define VTD_ECAP    0x010
#define VTD_GCMD    0x018
#define VTD_GSTS    0x01c
#define VTD_RTADDR  0x020
#define VTD_CCMD    0x028
#define VTD_FSTS    0x034
#define VTD_FECTL   0x038
#define VTD_FEDATA  0x03c
#define VTD_FEADDR  0x040
#define VTD_FEUADDR 0x044
#define VTD_IQH	    0x080
#define VTD_IQT	    0x088
#define VTD_IQA	    0x090
#define VTD_ICS	    0x09c
#define VTD_IECTL   0x0a0
#define VTD_IEDATA  0x0a4
#define VTD_IEADDR  0x0a8
#define VTD_IEUADDR 0x0ac
#define VTD_IQERCD  0x0b0
#define VTD_IRTA    0x0b8
#define VTD_PQH	    0x0c0
#define VTD_PQT	    0x0c8
#define VTD_PQA	    0x0d0
#define VTD_PRS	    0x0dc
#define VTD_PECTL   0x0e0
#define VTD_PEDATA  0x0e4
#define VTD_PEADDR  0x0e8
#define VTD_PEUADDR 0x0ec
/* Where CAP.FRO and ECAP.IRO, in units of 16 bytes, say. */
#define VTD_IVA	  0x0f0
#define VTD_IOTLB 0x0f8
#define VTD_FRCD  0x220

/* GCMD and GSTS (11.4.4) */
#define VTD_GCMD_TE    BIT(31)
#define VTD_GCMD_SRTP  BIT(30)
#define VTD_GCMD_QIE   BIT(26)
#define VTD_GCMD_IRE   BIT(25)
#define VTD_GCMD_SIRTP BIT(24)
#define VTD_GCMD_CFI   BIT(23)

/* FSTS (11.4.7.1) */
#define VTD_FSTS_PFO BIT(0)
#define VTD_FSTS_PPF BIT(1)
#define VTD_FSTS_IQE BIT(4)
#define VTD_FSTS_ICE BIT(5)
#define VTD_FSTS_ITE BIT(6)

/* FECTL, IECTL, PECTL (11.4.7.2, 11.4.9.5, 11.4.11.5) */
#define VTD_EVENT_IM BIT(31)
#define VTD_EVENT_IP BIT(30)

/* PRS (11.4.11.4) */
#define VTD_PRS_PPR BIT(0)
#define VTD_PRS_PRO BIT(1)

/* IQA (11.4.9.3), IRTA (11.4.10) */
#define VTD_IQA_DW    BIT(11)
#define VTD_IRTA_EIME BIT(11)

/* CAP and ECAP bits that change what other registers do (11.4.2, 11.4.3) */
#define VTD_ECAP_DT    BIT(2)
#define VTD_ECAP_IR    BIT(3)
#define VTD_ECAP_EIM   BIT(4)
#define VTD_ECAP_PRS   BIT(29)
#define VTD_ECAP_PASID BIT(40)
#define VTD_ECAP_PDS   BIT(42)
#define VTD_ECAP_SMTS  BIT(43)

/* The largest address mask of second-stage, and index mask of IRTE, invalidations. */
#define VTD_MAMV 18
#define VTD_MHMV 15

#endif
