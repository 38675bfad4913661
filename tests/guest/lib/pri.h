/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_PRI_H
#define GUEST_PRI_H

/* A test device that sends page requests, and the queue they come to (VT-d 7.4 to 7.6). */

#include "vtd.h"

#define PRI_PASID 5
#define PRI_DID	  4
#define FS_DIR	  (FS_P | FS_RW | FS_US | FS_A)
#define FS_ENTRY  (1 | PGTT_FS << 6)
#define PAGE	  (IOVA & ~0xfffUL)

/* The Page Request Descriptor (7.4.1.1). */
#define D_TYPE(d)  ((d)[0] & 0xff)
#define D_PP	   BIT(8)
#define D_RID(d)   ((d)[0] >> 16 & 0xffff)
#define D_PASID(d) ((d)[0] >> 32 & 0xfffff)
#define D_EXE	   BIT(52)
#define D_PRIV	   BIT(53)
#define D_R	   BIT(0)
#define D_W	   BIT(1)
#define D_LAST	   BIT(2)
#define D_GROUP(d) ((d)[1] >> 3 & 0x1ff)

#define CODE_OK	     0
#define CODE_INVALID 1
#define CODE_FAILED  15

/* Status in the device's capability. */
#define PRI_RF	    BIT(0)
#define PRI_UPRGI   BIT(1)
#define PRI_STOPPED BIT(8)

/*
 * The device reset, with ATS and PRI on; an empty queue of a page, whose event is masked and has
 * @vector; @bits in the context entry; a first stage for requests without PASID and with PRI_PASID
 * (with SRE), where IOVA is not present.
 */
void pri_start_context(struct edu *e, u64 bits, u32 vector);
/* With all that page requests need. */
void pri_start(struct edu *e, u32 vector);
/* The @n-th descriptor of the queue. */
volatile u64 *pri_desc(unsigned int n);
/* Respond to it. */
bool pri_respond(unsigned int n, u32 code);

#endif
