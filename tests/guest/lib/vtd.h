/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_VTD_H
#define GUEST_VTD_H

/*
 * The VT-d unit as a bare-metal driver sees it (VT-d spec, Rev 5.10), with its tables at fixed
 * places in memory:
 *
 *	1000_0000	root, context (+1000)
 *	1001_0000	tables: level 4, 3, 2, 1 at steps of 1000; a second set at 1001_8000
 *	1002_0000	invalidation queue, status of waits (+1000), interrupt remapping table (+2000)
 *	1003_0000	PASID directory, PASID table (+1000)
 *	1004_0000	page request queue
 *	1010_0000	the page that DMA aims at; others at +20_0000 and +30_0000
 *	1080_0000	a queue of the largest size
 */

#include "pci.h"

#define T_ROOT	  0x10000000UL
#define T_CONTEXT (T_ROOT + 0x1000)
#define T_TABLES  (T_ROOT + 0x10000)
#define T_TABLES2 (T_ROOT + 0x18000)
#define T_QUEUE	  (T_ROOT + 0x20000)
#define T_STATUS  (T_ROOT + 0x21000)
#define T_IRT	  (T_ROOT + 0x22000)
#define T_PDIR	  (T_ROOT + 0x30000)
#define T_PTABLE  (T_ROOT + 0x31000)
#define T_PRQ	  (T_ROOT + 0x40000)
#define T_LARGE	  (T_ROOT + 0x800000)
#define PAGE_A	  (T_ROOT + 0x100000)
#define PAGE_B	  (PAGE_A + 0x200000)
#define PAGE_C	  (PAGE_A + 0x300000)
#define IOVA	  0x10200567UL
#define OFFSET	  (IOVA & 0xfff)

#define R_VER	 0x00
#define R_CAP	 0x08
#define R_ECAP	 0x10
#define R_GCMD	 0x18
#define R_GSTS	 0x1c
#define R_RTADDR 0x20
#define R_FSTS	 0x34
#define R_FECTL	 0x38
#define R_FEDATA 0x3c
#define R_FEADDR 0x40
#define R_FEUADDR 0x44
#define R_IQH	 0x80
#define R_IQT	 0x88
#define R_IQA	 0x90
#define R_ICS	 0x9c
#define R_IECTL	 0xa0
#define R_IEDATA 0xa4
#define R_IEADDR 0xa8
#define R_IQERCD 0xb0
#define R_IRTA	 0xb8
#define R_PQH	 0xc0
#define R_PQT	 0xc8
#define R_PQA	 0xd0
#define R_PRS	 0xdc
#define R_PECTL	 0xe0
#define R_PEDATA 0xe4
#define R_PEADDR 0xe8

#define G_TE	BIT(31)
#define G_SRTP	BIT(30)
#define G_QIE	BIT(26)
#define G_IRE	BIT(25)
#define G_SIRTP BIT(24)
#define G_CFI	BIT(23)
#define G_ONCE	(G_SRTP | G_SIRTP)

#define FSTS_PFO BIT(0)
#define FSTS_PPF BIT(1)
#define FSTS_IQE BIT(4)
#define FSTS_ITE BIT(6)
#define PRS_PPR	 BIT(0)
#define PRS_PRO	 BIT(1)
#define EV_IM	 BIT(31)
#define EV_IP	 BIT(30)

#define ECAP_DT	   BIT(2)
#define ECAP_IR	   BIT(3)
#define ECAP_PT	   BIT(6)
#define ECAP_NEST  BIT(26)
#define ECAP_PRS   BIT(29)
#define ECAP_NWFS  BIT(33)
#define ECAP_PASID BIT(40)
#define ECAP_PDS   BIT(42)
#define ECAP_SMTS  BIT(43)
#define ECAP_SSTS  BIT(46)
#define ECAP_FSTS  BIT(47)

enum { TTM_LEGACY, TTM_SCALABLE };
enum { PGTT_FS = 1, PGTT_SS = 2, PGTT_NESTED = 3, PGTT_PT = 4 };

/* Scalable-mode context entries. */
#define SM_DTE	  BIT(2)
#define SM_PASIDE BIT(3)
#define SM_PRE	  BIT(4)

/* First-stage and second-stage entry bits. */
#define FS_P  BIT(0)
#define FS_RW BIT(1)
#define FS_US BIT(2)
#define FS_A  BIT(5)
#define FS_D  BIT(6)
#define FS_PS BIT(7)
#define FS_ALL (FS_P | FS_RW | FS_US | FS_A | FS_D)
#define SS_R  BIT(0)
#define SS_W  BIT(1)
#define SS_PS BIT(7)

static inline u32 vr32(u32 reg)
{
	return read32(VTD_BASE + reg);
}

static inline u64 vr64(u32 reg)
{
	return read64(VTD_BASE + reg);
}

static inline void vw32(u32 reg, u32 v)
{
	write32(VTD_BASE + reg, v);
}

static inline void vw64(u32 reg, u64 v)
{
	write64(VTD_BASE + reg, v);
}

static inline volatile u64 *at64(u64 pa)
{
	return (volatile u64 *)pa;
}

/* Set or clear a level bit of GCMD, or do a one-shot; true if GSTS follows. */
bool vtd_command(u32 bit, bool on);
/* All zero tables, root -> context, queue and translation on: what QEMU's tests do, in order. */
void vtd_start(int ttm);
/* Queue only, without translation. */
void vtd_start_queue(int ttm);
/* Everything off, faults cleared. */
void vtd_stop(void);

void vtd_context_legacy(int devfn, u64 lo, u64 hi);
/* The scalable-mode context entry of @devfn, with the PASID directory; @bits are added. */
void vtd_context_scalable(int devfn, u64 bits, u64 rid_pasid);
/* The PASID-table entry's first three qwords. */
void vtd_pasid(u32 pasid, u64 v0, u64 v1, u64 v2);

/* Tables from @top (4 levels at steps of 1000h) that map the page of @iova to that of @pa. */
void vtd_map(u64 top, u64 iova, u64 pa, u64 dir_bits, u64 leaf_bits);
/* The leaf entry of @iova. */
volatile u64 *vtd_leaf(u64 top, u64 iova);
/* The same for one 2 MiB page. */
void vtd_map_2m(u64 top, u64 iova, u64 pa, u64 dir_bits, u64 leaf_bits);

/* Submit a descriptor and a wait; true once the wait's status is there. */
bool vtd_inv(u64 lo, u64 hi);
/* Put a descriptor on the queue without telling the unit; the tail moves on. */
void vtd_push(u64 lo, u64 hi);
void vtd_tail(void);
u32 vtd_tail_pos(void);
#define INV_CONTEXT_GLOBAL   (1UL | 1UL << 4)
#define INV_CONTEXT_DEVICE(sid, did) (1UL | 3UL << 4 | (u64)(did) << 16 | (u64)(sid) << 32)
#define INV_IOTLB_GLOBAL     (2UL | 1UL << 4)
#define INV_IOTLB_DOMAIN(d)  (2UL | 2UL << 4 | (u64)(d) << 16)
#define INV_IOTLB_PAGE(d)    (2UL | 3UL << 4 | (u64)(d) << 16)
#define INV_IEC_GLOBAL	     4UL
#define INV_IEC_INDEX(i)     (4UL | 1UL << 4 | (u64)(i) << 32)
#define INV_PIOTLB_PASID(d, p) (6UL | 2UL << 4 | (u64)(d) << 16 | (u64)(p) << 32)
#define INV_PIOTLB_PAGE(d, p) (6UL | 3UL << 4 | (u64)(d) << 16 | (u64)(p) << 32)
#define INV_PASID_DOMAIN(d)  (7UL | 0UL << 4 | (u64)(d) << 16)
#define INV_PASID_ONE(d, p)  (7UL | 1UL << 4 | (u64)(d) << 16 | (u64)(p) << 32)
#define INV_PASID_GLOBAL     (7UL | 3UL << 4)
/* Addresses of the next two: DTLB_* */
#define INV_DTLB(sid)	     (3UL | (u64)(sid) << 32)
#define INV_PDTLB(sid, p)    (8UL | (u64)(sid) << 16 | (u64)(p) << 32)
#define DTLB_S		     BIT(0)
#define DTLB_ALL	     (0x7ffffffffffff000UL | DTLB_S)
#define PDTLB_S		     BIT(11)
#define PDTLB_G		     BIT(0)
#define PDTLB_ALL	     (0x7ffffffffffff000UL | PDTLB_S)
/* A page group response; the high qword has the group. */
#define INV_RESPONSE(sid, code) (9UL | (u64)(code) << 12 | (u64)(sid) << 16)
#define INV_RESPONSE_PASID(sid, code, p) (INV_RESPONSE(sid, code) | 1UL << 4 | (u64)(p) << 32)
#define RESPONSE_GROUP(g)    ((u64)(g) << 3)
#define INV_WAIT_SW(data)    (5UL | 1UL << 5 | (u64)(data) << 32)
#define INV_WAIT_PD	     (5UL | 1UL << 7)
#define INV_WAIT_IF	     (5UL | 1UL << 4)

/* The oldest recorded fault, taken out: its reason, or 0.  The rest of it if wanted. */
struct fault {
	u64 addr;
	u32 reason, sid, pasid, at; /* address type: 0 untranslated, 1 request, 2 translated */
	bool write, page_request, has_pasid, priv, exec;
};
u32 vtd_fault(struct fault *f);
void vtd_faults_clear(void);
/* The reason for which a write to @iova is refused, or 0. */
u32 vtd_refusal(struct edu *e, u64 iova);

#endif
