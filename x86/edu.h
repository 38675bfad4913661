/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_EDU_H
#define X86_EDU_H

/*
 * The inside of the test device (docs/testdev.md).
 *
 *   edu.c       the module; capabilities and their enable bits
 *   edu_regs.c  registers
 *   edu_dma.c   the DMA engine
 *   edu_tlb.c   the device-TLB: translation requests and invalidations (PCIe 10.2, 10.3)
 *   edu_pri.c   page requests and their responses (PCIe 10.4)
 *
 * Loop lock held everywhere.
 */

#include "lkvm/pci.h"

#define EDU_VECTORS 4

/* The buffer, the device's side of a DMA. */
#define EDU_BUF_BASE 0x40000
#define EDU_BUF_SIZE 4096

#define EDU_TLB_SIZE 64
#define EDU_PRI_MAX  32

#define EDU_CMD_START	BIT(0)
#define EDU_CMD_TO_RAM	BIT(1)
#define EDU_CMD_IRQ	BIT(2)
#define EDU_CMD_BITS	(EDU_CMD_START | EDU_CMD_TO_RAM | EDU_CMD_IRQ)
#define EDU_IRQ_DMA	0x100
#define EDU_TAG_PASID	GENMASK(19, 0)
#define EDU_TAG_EXEC	BIT(29)
#define EDU_TAG_PRIV	BIT(30)
#define EDU_TAG_VALID	BIT(31)
#define EDU_MODE_ATS	BIT(0)
#define EDU_MODE_PRI	BIT(1)
#define EDU_MODE_FORGED BIT(2)

enum edu_result {
	EDU_NONE,
	EDU_DONE,
	EDU_REFUSED,
	EDU_BAD_RANGE,
	EDU_NO_MASTER,
	EDU_PENDING,	/* a page request is on its way */
	EDU_NO_ACCESS,	/* the translation completion did not grant it */
	EDU_INVALID,	/* the page request was answered: Invalid Request */
	EDU_FAILED,	/* the same: Response Failure */
	EDU_NO_SUCCESS, /* Success was answered again and again, and never true */
};

/* What all requests of one kind have in common, from the tag register. */
struct edu_tag {
	u32 pasid; /* or DMA_NO_PASID */
	u8 attr;   /* DMA_PRIV, DMA_EXEC */
};

struct edu_tlb_entry {
	u64 addr, size, gpa; /* size 0: unused */
	u32 pasid;
	u8 perm;
	bool priv, global, untranslated;
};

struct edu_tlb {
	struct edu_tlb_entry entry[EDU_TLB_SIZE];
	u32 next; /* to be replaced */
	u32 requests, invalidations, dropped;
};

/* A page request without an answer. */
struct edu_page_req {
	u32 pasid;
	u16 prgi;
	bool used;
};

struct edu_pri {
	struct edu_page_req req[EDU_PRI_MAX];
	bool enabled; /* as the control register was when last looked at */
	bool halted;  /* by a Response Failure, until enabled anew */
	u16 prgi;     /* the last that a DMA used */
	u32 sent, responses;
	u32 last, last_pasid; /* response, as the registers show it */
};

/* The DMA under way: what the registers said when it was started. */
struct edu_job {
	bool active, to_ram, irq;
	bool waiting; /* for the answer to @prgi */
	bool running; /* edu_dma.c is at work on it */
	u8 mode, tries;
	u16 prgi;
	enum edu_result answer;
	struct edu_tag tag;
	u32 at, count;
	u64 ram, no_access; /* where it could not go on */
};

struct edu {
	struct pci_func pci;
	struct dma_listener listener;
	char name[24];
	u32 pasid_cap, ats_cap, pri_cap; /* where in configuration space */
	u32 live, factorial, status, irq_status;
	u32 tag, mode, result, vector;
	u64 src, dst, count, cmd;
	u64 probe, page_addr;
	u32 page_result;
	struct edu_job job;
	struct edu_tlb tlb;
	struct edu_pri pri;
	u8 buf[EDU_BUF_SIZE];
};

/* --- edu_regs.c --- */
void edu_regs__access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write);
void edu_regs__raise_irq(struct edu *e, u32 why);
/* The tag register for reads or writes (which execute nothing). */
struct edu_tag edu_regs__tag(const struct edu *e, bool read);

/* --- edu_dma.c --- */
/* Start what the registers describe; nothing happens while one is under way. */
void edu_dma__start(struct edu *e);
/* What became of the page request that a DMA waits for: it goes on (EDU_DONE), or ends so. */
void edu_dma__answer(struct edu *e, enum edu_result answer);

/* --- edu_tlb.c --- */
/* ATS is enabled in configuration space. */
bool edu_tlb__enabled(const struct edu *e);
/* The entry for @addr, whatever it permits; NULL: none. */
const struct edu_tlb_entry *edu_tlb__find(struct edu *e, const struct edu_tag *tag, u64 addr);
/*
 * The same, permitting @access (DMA_READ or DMA_WRITE), by a translation request if need be.  0,
 * -EACCES if it was not granted, -EFAULT if the request was refused.
 */
int edu_tlb__translate(struct edu *e, const struct edu_tag *tag, u64 addr, u8 access,
		       struct edu_tlb_entry *out);
u32 edu_tlb__count(const struct edu *e);
void edu_tlb__flush(struct edu *e);
/* dma_listener.invalidate */
void edu_tlb__invalidate(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all);

/* --- edu_pri.c --- */
/* The control register may have been written; @reset: with its reset bit. */
void edu_pri__control(struct edu *e, bool reset);
/* A group index that nothing outstanding has. */
u16 edu_pri__new_group(struct edu *e);
/* Send a page request.  False: PRI is off, or all of the allocation is outstanding. */
bool edu_pri__send(struct edu *e, const struct edu_tag *tag, u64 addr, u8 access, u16 prgi,
		   bool last);
u32 edu_pri__outstanding(const struct edu *e);
/* dma_listener.page_response */
void edu_pri__response(struct dma_listener *l, u32 pasid, u16 prgi, enum dma_page_resp code);

#endif
