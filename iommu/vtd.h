/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_VTD_H
#define IOMMU_VTD_H

/*
 * The inside of the VT-d unit.  Section numbers are those of the VT-d specification, Rev 5.10.
 *
 *   regs.c       register file, GCMD                      11.4
 *   cap.c        CAP and ECAP from the options            11.4.2-3
 *   queue.c      invalidation queue                       6.5.2
 *   turn.c       its next turn of the event loop
 *   fault.c      fault recording, event interrupts        7.2, 7.3
 *   remap.c      interrupt remapping                      5.1
 *   entry.c      root and context entries                 3.4, 9.1-9.4
 *   entry_sm.c   scalable-mode context and PASID entries  3.4.3, 9.4-9.6
 *   walk.c       the walk that an entry asks for          3.9; with the next two:
 *   walk_fs.c    first stage, nested or not               3.6, 3.8
 *   walk_ss.c    second stage                             3.7
 *   cache.c      context/PASID cache and IOTLB            6.2
 *   translate.c  a DMA request from start to end          3
 *   ats.c        translation and translated requests      4
 *   devtlb.c     who keeps translations, device-TLBs and others
 *   prq.c        page request queue                       7.4-7.6
 *   inv.c        what an invalidation does to caches, bindings and those
 *   change.c     trace of what an invalidation changed
 *   debug.c      the state for people; debug_walk.c, debug_entry.c, stat.c, verbs.c
 *   bind.c       PASID entries bound to host page tables; bind_host.c, bind_inv.c, bind_dev.c
 *
 * Loop lock held everywhere.
 */

#include <stdio.h>

#include "lkvm/bus.h"
#include "lkvm/dma.h"
#include "lkvm/iommu.h"
#include "lkvm/irq.h"
#include "lkvm/mem.h"
#include "lkvm/util.h"
#include "lkvm/vm.h"

struct vtd_cache;
struct vtd_bind;
struct loop_fd;

/* From --viommu=vtd[,option...] or vtd-nested. */
struct vtd_config {
	u8 aw; /* second-stage and legacy address width: 39, 48 or 57 */
	bool scalable, fs, ss, nest, pt, fl5, fs1gp, srs, eafs, smpwc;
	bool ir, eim, cm, sc, ssads, ats, pri;
	u8 pasid_bits; /* 0: no PASID */
	bool assigned; /* vtd-nested: host page tables behind the entries */
};

/* PASID-entry PGTT (9.6); legacy context entries are resolved to SS or PT. */
enum vtd_pgtt { VTD_PGTT_FS = 1, VTD_PGTT_SS = 2, VTD_PGTT_NESTED = 3, VTD_PGTT_PT = 4 };

/* RTADDR.TTM (11.4.5) */
enum vtd_ttm { VTD_TTM_LEGACY = 0, VTD_TTM_SCALABLE = 1, VTD_TTM_RSVD = 2, VTD_TTM_ABORT = 3 };

/* What kind of request: but for the last, the address type on the link (4.1). */
enum vtd_kind { VTD_UNTRANSLATED = 0, VTD_TRANSLATION = 1, VTD_TRANSLATED = 2, VTD_PAGE_REQUEST };

/* An entry that is read on the way to a translation. */
enum vtd_entry { VTD_ROOT, VTD_CONTEXT, VTD_PASID_DIR, VTD_PASID, VTD_FS, VTD_SS };

struct vtd_step {
	enum vtd_entry entry;
	u8 level;	/* of page tables: 1 is the last */
	u64 addr;	/* page tables: what is translated */
	u64 gpa;	/* where it is; of a nested first stage the second stage's input */
	const u64 *val; /* NULL: not in memory */
	unsigned int n; /* words of it */
};

/* One that looks at a translation; it then changes nothing: no accessed or dirty bits. */
struct vtd_observer {
	void (*step)(const struct vtd_observer *o, const struct vtd_step *step);
};

/* What a fault record will say (7.2).  @reason 0: none. */
struct vtd_fault {
	u8 reason;
	u8 kind; /* enum vtd_kind */
	u16 sid;
	u32 pasid; /* DMA_NO_PASID: none */
	u64 addr;
	u8 access; /* DMA_* */
	bool fpd;  /* an entry with FPD=1 was met: qualified faults are not recorded */
	const struct vtd_observer *observer; /* of what led to it, or NULL */
};

static inline void vtd__observe(const struct vtd_fault *fault, const struct vtd_step *step)
{
	if (unlikely(fault->observer))
		fault->observer->step(fault->observer, step);
}

/* How requests of one (source, PASID) are translated: a context or PASID entry, decoded. */
struct vtd_ctx {
	u8 pgtt;     /* enum vtd_pgtt */
	bool legacy; /* found through a legacy root */
	bool fpd;
	bool rid_priv; /* requests without PASID are privileged (9.4 RID_PRIV) */
	u16 did;
	u32 pasid;    /* the effective one: RID_PASID for requests without; 0 in legacy mode */
	u64 fsptr;    /* first-stage top table: guest-physical, or second-stage input when nested */
	u8 fs_levels; /* 4 or 5 */
	bool sre, wpe, eafe, pwsnp;
	u64 ssptr;
	u8 ss_levels; /* 3, 4 or 5 */
	bool ssade;
	u64 raw[8]; /* the entry as read, for comparison */
};

/* A finished translation, as the IOTLB keeps it. */
struct vtd_leaf {
	u64 gpa;  /* of the page's first byte */
	u8 shift; /* page size: 12, 21, 30 (or 64 - 1 for pass-through: identity) */
	u8 perm;  /* DMA_READ | DMA_WRITE | DMA_EXEC allowed to the request's privilege */
};

struct vtd_frcd {
	u64 lo, hi; /* 11.4.7.6 */
};
#define VTD_NFRCD 8

/* Control, data and address registers of an event interrupt (FECTL, IECTL, PECTL). */
struct vtd_event {
	u32 ctl, data, addr, uaddr;
};

/* What was counted, for `lkvm stat --iommu` (stat.c). */
struct vtd_stats {
	u64 desc[16]; /* descriptors by type */
	u64 iqe[8];   /* the queue's errors by IQEI */
	u64 ite;
	u64 faults, faults_dropped; /* of all faults, those for which there was no record */
	u64 faults_fpd;		    /* besides: silenced by FPD */
	u64 reasons[256];	    /* all three */
	u64 ctx_hit, ctx_miss;	    /* context and PASID cache */
	u64 iotlb_hit, iotlb_miss;
	u64 walks, fs_reads, ss_reads; /* and the page-table entries that they read */
	u64 ats, translated;	       /* requests of functions with a device-TLB */
	u64 page_requests, page_lost;  /* of these, dropped for lack of room */
	u64 attach, replace, detach, to_parent, bind_failed; /* host operations that succeeded */
	u64 host_inv_calls, host_inv_ranges;
	u64 ir_remapped, ir_blocked;
};

struct vtd {
	struct vm *vm;
	struct guest_mem *mem;
	struct irqchip *irq;
	struct vtd_config cfg;
	struct bus_region mmio;

	u64 cap, ecap;
	u32 gsts;
	u64 rtaddr;		      /* as written */
	u64 root;		      /* latched by SRTP: table address and TTM */
	u64 irta_reg;		      /* as written */
	u64 irta;		      /* latched by SIRTP */
	u64 ccmd, iotlb_reg, iva_reg; /* register-based invalidation (legacy mode) */
	u64 iqh, iqt, iqa;
	u32 ics;
	u64 iqercd;
	u64 pqh, pqt, pqa;
	u32 prs;
	u32 fsts; /* PFO, IQE, ICE, ITE; PPF and FRI are derived */
	u32 fri;
	struct vtd_event fe, ie, pe;
	struct vtd_frcd frcd[VTD_NFRCD];
	u32 frcd_next; /* the slot the next fault goes to */

	struct vtd_cache *cache;	/* cache.c */
	struct vtd_bind *binds;		/* bind.c: one per assigned device, linked */
	struct dma_listener *listeners; /* devtlb.c */
	struct vtd_stats stats;
	u64 work; /* in this turn of the queue, see VTD_WORK_TURN */
	int turn_fd;
	struct loop_fd *turn_lfd; /* turn.c */
	/* The host refused what keeps a device in bounds: the VM is being stopped, and nothing that
	 * waits for an invalidation may complete any more. */
	bool isolation_lost;
};

static inline bool vtd__tes(const struct vtd *vtd)
{
	return vtd->gsts & BIT(31);
}

static inline enum vtd_ttm vtd__ttm(const struct vtd *vtd)
{
	return FIELD(vtd->root, 11, 10);
}

/* Host and guest address widths: what is reserved in entries, and what a second stage takes. */
static inline unsigned int vtd__haw(const struct vtd *vtd)
{
	return MIN(vtd->vm->phys_bits, 52u);
}

static inline unsigned int vtd__mgaw(const struct vtd *vtd)
{
	return FIELD(vtd->cap, 21, 16) + 1;
}

/* Where writes are interrupts (3.15). */
#define VTD_MSI_BASE 0xfee00000ULL
#define VTD_MSI_SIZE MiB

static inline bool vtd__is_msi(u64 addr)
{
	return addr - VTD_MSI_BASE < VTD_MSI_SIZE;
}

/* --- cap.c --- */
/* What --viommu=vtd and vtd-nested stand for, before their options. */
extern const struct vtd_config vtd_config_emulated, vtd_config_nested;
/* Checks the dependencies between the options (one printed line, -EINVAL) and sets cap and ecap. */
int vtd_cap__build(const struct vtd_config *cfg, u64 *cap, u64 *ecap);
/*
 * Apply "name[=on|off],..." (NULL or "": nothing) to @cfg.  What is not named goes off with what it
 * depends on.  -EINVAL with one printed line.
 */
int vtd_cap__parse(const char *list, struct vtd_config *cfg);
/* The names of the bits that are set, then the fields. */
void vtd_cap__print(u64 cap, u64 ecap, FILE *out);

/* --- regs.c --- */
void vtd_regs__access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write);
/* Power-on values (11.4). */
void vtd_regs__reset(struct vtd *vtd);

/* --- queue.c --- */
/*
 * Fetch and execute descriptors while the queue may run (6.5.2), for one turn: what is left then is
 * for the event loop.
 */
void vtd_queue__run(struct vtd *vtd);

/*
 * What a turn of the queue does, in units of about one table entry looked at (a few nanoseconds), so
 * that it does not depend on the clock.  Who works for a descriptor adds to vtd->work; a turn ends with
 * the descriptor that reaches VTD_WORK_TURN, after a few milliseconds at most but for what that one
 * does: all PASIDs of all devices, each of them attached anew, if the guest has made it that.
 */
enum {
	VTD_WORK_DESC = 64,	 /* any descriptor */
	VTD_WORK_CONTEXTS = 512, /* searching the context cache */
	VTD_WORK_IOTLB = 4096,	 /* searching the IOTLB */
	VTD_WORK_BINDING = 16,	 /* passing by a binding, */
	VTD_WORK_LOOKUP = 128,	 /* and looking up its entry */
	VTD_WORK_HOST = 4096,	 /* a call to the host's IOMMU, or into vhost */
	VTD_WORK_ROUTES = 65536, /* setting KVM's interrupt routes */
	VTD_WORK_TURN = 1 << 20,
};

/* --- turn.c --- */
/* -errno and a printed line on failure. */
int vtd_turn__init(struct vtd *vtd);
void vtd_turn__exit(struct vtd *vtd);
/* Have vtd_queue__run() called from the event loop, soon. */
void vtd_turn__ask(struct vtd *vtd);

/* --- fault.c --- */
/* Record (or drop, or suppress by FPD) and raise the event interrupt (7.2, 7.3). */
void vtd_fault__record(struct vtd *vtd, const struct vtd_fault *fault);
/* An interrupt-remapping fault: FI holds the index. */
void vtd_fault__record_ir(struct vtd *vtd, u16 sid, u16 index, u8 reason, bool fpd);
/* FSTS bits were set (IQE, ICE, ITE): raise the fault event under the same rules. */
void vtd_fault__raise(struct vtd *vtd, u32 fsts_bits);
/* FSTS as the guest reads it. */
u32 vtd_fault__status(const struct vtd *vtd);
/* Send or latch (IP) an event interrupt. */
void vtd_event__raise(struct vtd *vtd, struct vtd_event *ev);
const char *vtd_fault__text(u8 reason);
/* The guest wrote ones to these FSTS bits; to F of record @n; to a control register. */
void vtd_fault__clear(struct vtd *vtd, u32 fsts_bits);
void vtd_fault__clear_record(struct vtd *vtd, unsigned int n);
void vtd_event__control(struct vtd *vtd, struct vtd_event *ev, u32 val, u32 mask);

/* --- remap.c --- */
extern const struct irq_remap_ops vtd_remap_ops;

/* --- entry.c --- */
/*
 * Find and check the entry for (@sid, @pasid) in guest memory as it is now, for a request of
 * fault->kind.  0 with @ctx filled (for VTD_TRANSLATED not, which needs nothing of it), or -EFAULT with
 * fault->reason and fault->fpd set (the rest of @fault is the caller's).  Translation must be enabled.
 */
int vtd_entry__lookup(struct vtd *vtd, u16 sid, u32 pasid, struct vtd_ctx *ctx,
		      struct vtd_fault *fault);
/*
 * The number of PASIDs that the PASID directory of @sid can hold (PDTS), 0 if there is none;
 * *@rid_pasid gets the PASID that stands for its requests without one.
 */
u32 vtd_entry__pasids(struct vtd *vtd, u16 sid, u32 *rid_pasid);
/*
 * The lowest PASID of @sid in [*@pasid, @end) whose PASID-table entry is present, valid or not;
 * false if there is none.
 */
bool vtd_entry__next_pasid(struct vtd *vtd, u16 sid, u32 *pasid, u32 end);

/* --- walk.c --- */
/*
 * Translate @addr with fresh walks.  0 with @leaf, or -EFAULT with fault->reason set.  Accessed and
 * dirty bits are set as the entry asks for (atomically).
 */
int vtd_walk__translate(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 access,
			struct vtd_leaf *leaf, struct vtd_fault *fault);

/* --- translate.c --- */
extern const struct dma_ops vtd_dma_ops;
/* As vtd_walk__translate(), through the IOTLB. */
int vtd_translate__leaf(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 access,
			struct vtd_leaf *leaf, struct vtd_fault *fault);

/* --- ats.c --- */
/* dma_ops.ats */
int vtd_ats__request(void *iommu, const struct dma_req *req, struct dma_ats *ats);
/* dma_ops.translate for requests with DMA_TRANSLATED. */
int vtd_ats__translated(struct vtd *vtd, const struct dma_req *req, u64 *gpa, u64 *len);

/* --- prq.c --- */
/* dma_ops.page_request */
void vtd_prq__request(void *iommu, const struct dma_page_req *req);

/* --- devtlb.c --- */
/* dma_ops.listen and .unlisten */
void vtd_devtlb__listen(void *iommu, struct dma_listener *l);
void vtd_devtlb__unlisten(void *iommu, struct dma_listener *l);
/* As the guest asks it of the device-TLB of @sid; false: there is none, and no completion comes. */
bool vtd_devtlb__invalidate(struct vtd *vtd, u16 sid, u32 pasid, u64 addr, u64 len, bool all);
/* A page group response to the device @sid; dropped if it takes none. */
void vtd_devtlb__respond(struct vtd *vtd, u16 sid, u32 pasid, u16 prgi, enum dma_page_resp code);
/* Translations of [@addr, @addr + @len) may have ended (@len 0: of anything): tell all others. */
void vtd_devtlb__changed(struct vtd *vtd, u64 addr, u64 len);

/* --- cache.c --- */
struct vtd_cache *vtd_cache__new(void);
void vtd_cache__free(struct vtd_cache *cache);
/* The decoded entry for requests of (@sid, @pasid or DMA_NO_PASID), or NULL. */
const struct vtd_ctx *vtd_cache__ctx(struct vtd_cache *cache, u16 sid, u32 pasid);
const struct vtd_ctx *vtd_cache__ctx_add(struct vtd_cache *cache, u16 sid, u32 pasid,
					 const struct vtd_ctx *ctx);
/* The translation of @addr that allows @access, or NULL. */
const struct vtd_leaf *vtd_cache__leaf(struct vtd_cache *cache, const struct vtd_ctx *ctx, u64 addr,
				       u8 access);
void vtd_cache__leaf_add(struct vtd_cache *cache, const struct vtd_ctx *ctx, u64 addr, u8 access,
			 const struct vtd_leaf *leaf);

/* --- inv.c: called by queue.c for valid descriptors, and for register-based invalidation --- */
enum vtd_gran { VTD_GRAN_GLOBAL, VTD_GRAN_DOMAIN, VTD_GRAN_DEVICE, VTD_GRAN_PASID, VTD_GRAN_PAGE };

struct vtd_inv {
	enum vtd_gran gran;
	u16 did, sid;
	u8 fm; /* context: function mask */
	u32 pasid;
	u64 addr; /* page: bits 63:12 */
	u8 am;	  /* at most 51 */
	bool ih;
};

/* cache.c: drop what an invalidation covers (6.5.2, Tables 23 and 24). */
void vtd_cache__inv_context(struct vtd_cache *cache, const struct vtd_inv *inv);
void vtd_cache__inv_pasid(struct vtd_cache *cache, const struct vtd_inv *inv);
void vtd_cache__inv_iotlb(struct vtd_cache *cache, const struct vtd_inv *inv);
void vtd_cache__inv_piotlb(struct vtd_cache *cache, const struct vtd_inv *inv);
void vtd_cache__clear(struct vtd_cache *cache);

void vtd_inv__context(struct vtd *vtd, const struct vtd_inv *inv);
void vtd_inv__pasid_cache(struct vtd *vtd, const struct vtd_inv *inv);
void vtd_inv__iotlb(struct vtd *vtd, const struct vtd_inv *inv);
void vtd_inv__piotlb(struct vtd *vtd, const struct vtd_inv *inv);
/* Everything at once: SRTP, TE changes. Bindings are brought to what the tables say now. */
void vtd_inv__all(struct vtd *vtd);
/* Give batched first-stage invalidations to the host; before a wait completes and when the queue
 * runs dry. */
void vtd_inv__sync(struct vtd *vtd);

/* --- bind.c --- */
/* Machine reset: every RID back on its parent, every PASID detached; stops the VM if refused. */
void vtd_bind__reset(struct vtd *vtd);
void vtd_bind__free(struct vtd *vtd);
/* The bindings, one line each, for people. */
void vtd_bind__print(struct vtd *vtd, FILE *out);

#endif
