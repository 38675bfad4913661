/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_ENTRY_H
#define IOMMU_ENTRY_H

/* Between entry.c, entry_sm.c and remap.c, and the capability bits that decide what is reserved. */

#include "iommu/vtd.h"

/* CAP and ECAP (11.4.2-3) */
#define CAP_FS1GP   BIT(56)
#define CAP_FS5LP   BIT(60)
#define ECAP_DT	    BIT(2)
#define ECAP_PT	    BIT(6)
#define ECAP_SC	    BIT(7)
#define ECAP_MTS    BIT(25)
#define ECAP_NEST   BIT(26)
#define ECAP_PRS    BIT(29)
#define ECAP_SRS    BIT(31)
#define ECAP_EAFS   BIT(34)
#define ECAP_PASID  BIT(40)
#define ECAP_SMTS   BIT(43)
#define ECAP_SSADS  BIT(45)
#define ECAP_SSTS   BIT(46)
#define ECAP_FSTS   BIT(47)
#define ECAP_SMPWCS BIT(48)
#define ECAP_RPS    BIT(49)
#define ECAP_ADMS   BIT(52)
#define ECAP_RPRIVS BIT(53)
#define ECAP_HPTS   BIT(55)
#define ECAP_PTRS   BIT(56)

/* Read @n (1, or even) 64-bit words at @gpa, in aligned pairs as one.  False if that is not all RAM. */
bool entry__read(const struct vtd *vtd, u64 gpa, u64 *val, unsigned int n);
/* The same for a lookup, whose observer is told of it. */
bool entry__fetch(struct vtd *vtd, const struct vtd_fault *fault, enum vtd_entry entry, u64 gpa,
		  u64 *val, unsigned int n);
/* Sets the reason; -EFAULT. */
int entry__fail(struct vtd_fault *fault, u8 reason);
/* The address bits at and above HAW: reserved in every pointer. */
u64 entry__above_haw(const struct vtd *vtd);
/* Levels of a second stage with address width code @aw; 0 if that is not supported. */
u8 entry__ss_levels(const struct vtd *vtd, unsigned int aw);

int entry__sm_lookup(struct vtd *vtd, u16 sid, u32 pasid, struct vtd_ctx *ctx,
		     struct vtd_fault *fault);

#endif
