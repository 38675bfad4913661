/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_BIND_H
#define IOMMU_BIND_H

/*
 * Guest PASID entries bound to host page tables.
 *
 *   bind.c       which entries an invalidation covers, what each asks for, and keeping to it
 *   bind_host.c  the calls to the host: attach, replace, detach, free, and what is owed after a
 *                refusal
 *   bind_inv.c   first-stage invalidations, batched
 *   bind_dev.c   devices coming and going, printing
 *
 * One binding is one (device, PASID), HOST_RID standing for requests without PASID:
 *
 *                  the guest's entry                     the host's page table
 *   BIND_PARENT    pass-through, or translation off      the parent: guest RAM, nothing else
 *   BIND_BLOCKED   absent, invalid, or refused           none
 *   BIND_NESTED    first-stage                           an HWPT made from it, over the parent
 *
 * The state is what the host really does; binding.ctx is the entry that it does it for, and is
 * valid only while the two agree.  So a refusal leaves the state as it is and ctx invalid, and the
 * next invalidation tries again.
 */

#include "iommu/vtd.h"

enum bind_state { BIND_BLOCKED, BIND_PARENT, BIND_NESTED };

/* A nested HWPT.  Allocated before the host's object is, so that keeping it needs no memory. */
struct bind_hwpt {
	struct bind_hwpt *next; /* among those that could not be destroyed */
	u32 id;
};

/* Invalidations kept apart per HWPT; more become one of everything. */
#define BIND_RANGES 64

struct binding {
	struct binding *next; /* of the device's PASIDs */
	u32 pasid;	      /* or HOST_RID */
	enum bind_state state;
	struct bind_hwpt *hwpt; /* attached; BIND_NESTED only */
	bool valid;
	struct vtd_ctx ctx;
	bool stuck; /* must be blocked, but the host did not detach it */

	/* Why the entry is not served (0: it is, or is absent): one fault per cause. */
	u8 reason;
	u64 failed[8];

	bool flush_all;
	u32 n_ranges;
	struct host_inv ranges[BIND_RANGES];

	u64 attaches, replaces, invalidations;
};

/* PASID bindings per device: what a hostile guest can make us and the host allocate. */
#define BIND_PASIDS 1024

/* An assigned device. */
struct vtd_bind {
	struct vtd_bind *next;
	u16 sid;
	struct host_device host;
	struct binding rid;
	struct binding *pasids;
	u32 n_pasids;
	struct bind_hwpt *zombies; /* detached, but the host did not destroy them */
};

/* Which bindings an invalidation covers. */
struct bind_match {
	bool any_sid, any_did, any_pasid;
	u16 sid, did;
	u8 fm; /* function mask for sid */
	u32 pasid;
};

/* All bindings of @dev are passed by. */
static inline void bind__work(struct vtd *vtd, const struct vtd_bind *dev)
{
	vtd->work += (1 + dev->n_pasids) * VTD_WORK_BINDING;
}

/* --- bind.c --- */
/* Bring what @match covers to what the guest's tables say now.  Translation is on, or nothing
 * happens. */
void bind__update(struct vtd *vtd, const struct bind_match *match);
/* Translation is off: every RID on its parent, every PASID detached; stops the VM if refused. */
void bind__put_back(struct vtd *vtd);
/* The entry @ctx of @b cannot be served: block it and record one fault. */
void bind__fail(struct vtd *vtd, struct vtd_bind *dev, struct binding *b, u8 reason,
		const struct vtd_ctx *ctx);

/* --- bind_host.c: 0, or what the host said; the state follows what really happened --- */
int bind_host__nest(struct vtd *vtd, struct vtd_bind *dev, struct binding *b,
		    const struct host_s1 *s1);
int bind_host__parent(struct vtd *vtd, struct vtd_bind *dev, struct binding *b);
/* Refused: @b is stuck, and retried until bind_host__settle(). */
int bind_host__block(struct vtd *vtd, struct vtd_bind *dev, struct binding *b);
/*
 * Before the guest is told that its invalidations are done: what is owed is tried once more.  A
 * binding that still is not blocked stops the VM.
 */
void bind_host__settle(struct vtd *vtd, struct vtd_bind *dev);
/* Destroy the HWPTs that could not be destroyed before. */
void bind_host__reap(struct vtd_bind *dev);
/* The host refuses to isolate @b: end the VM. */
void bind_host__give_up(struct vtd *vtd, struct vtd_bind *dev, struct binding *b, const char *what,
			int err);

/* --- bind_inv.c --- */
/* First-stage entries of domain @did, or of all. */
void bind__queue_domain(struct vtd *vtd, bool any, u16 did);
void bind__queue_pasid(struct vtd *vtd, const struct vtd_inv *inv);
/* Give what is queued to the host. */
void bind__flush(struct vtd *vtd);

/* --- bind_dev.c --- */
/* "00:03.0" of @sid, "rid" or a number; in static buffers, for messages. */
const char *bind__bdf(u16 sid);
const char *bind__pasid(u32 pasid);

#endif
