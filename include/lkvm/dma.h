/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_DMA_H
#define LKVM_DMA_H

/*
 * A PCI function's view of memory.  A device is never given a guest-physical address to use: it has
 * a dma_as, and every access goes through it, translated when there is an IOMMU.
 *
 * A pointer from here is good until the device returns to the loop: then the guest may end the
 * translation, and is promised that nothing happens by it once that is over (VT-d 6.5.4, draining).
 * Who needs one for longer, as an AIO in flight does, listens (struct dma_listener).  The RAM
 * behind it stays mapped for the life of the VM.  Loop lock held for all calls.
 */

#include <sys/uio.h>

#include "lkvm/util.h"

struct guest_mem;

#define DMA_NO_PASID 0xffffffffu

enum dma_access {
	DMA_READ = 1,
	DMA_WRITE = 2,
	DMA_EXEC = 4, /* requests with PASID only */
	DMA_PRIV = 8, /* the same */
	/* The address is a translation completion's (PCIe 10.2.1 AT=10): a device-TLB's user. */
	DMA_TRANSLATED = 16,
	/* Nobody is about to access: only asked whether it would be allowed.  No fault is recorded. */
	DMA_PROBE = 32,
};

struct dma_req {
	u64 addr;
	u32 pasid; /* 20 bits, or DMA_NO_PASID */
	u16 sid;   /* requester: bus, device, function */
	u8 access; /* DMA_* */
};

/* What a translation request is answered with (PCIe 10.2.3). */
struct dma_ats {
	u64 gpa;     /* of the page's first byte, for requests with DMA_TRANSLATED */
	u64 size;    /* of the page: a power of two, 4 KiB or more */
	u8 perm;     /* DMA_READ | DMA_WRITE | DMA_EXEC, those granted; 0: no translation now */
	bool global; /* the same for all PASIDs of the function */
	bool untranslated; /* only untranslated requests may use the address (U) */
};

/* A page request (PCIe 10.4). */
struct dma_page_req {
	u64 addr;  /* of the page, 4 KiB aligned */
	u32 pasid; /* or DMA_NO_PASID */
	u16 sid;
	u16 prgi;  /* page request group index, 9 bits */
	u8 access; /* DMA_*; neither DMA_READ nor DMA_WRITE: a stop marker */
	bool last; /* of its group: wants a response */
};

/* Response codes of a page request group (PCIe 10.4.2.1); a guest may also send those reserved. */
enum dma_page_resp { DMA_PAGE_OK = 0, DMA_PAGE_INVALID = 1, DMA_PAGE_FAILED = 15 };

struct dma_listener;

struct dma_ops {
	/*
	 * Translate: *@gpa is where req->addr is, *@len (>= 1) how many bytes from there are
	 * contiguous in both spaces and allowed.  0, or -EFAULT if blocked: the IOMMU has then
	 * recorded the fault, unless DMA_PROBE says not to.
	 */
	int (*translate)(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len);
	/*
	 * A translation request of a function with ATS.  0: answered by @ats, perhaps with no
	 * permission at all, which is no fault.  -EFAULT: refused (Unsupported Request), and the
	 * fault recorded.
	 */
	int (*ats)(void *iommu, const struct dma_req *req, struct dma_ats *ats);
	/*
	 * A page request.  The answer comes by dma_listener.page_response, perhaps before this
	 * returns.
	 */
	void (*page_request)(void *iommu, const struct dma_page_req *req);
	/* Start and stop telling @l. */
	void (*listen)(void *iommu, struct dma_listener *l);
	void (*unlisten)(void *iommu, struct dma_listener *l);
};

struct dma_as {
	struct guest_mem *mem;
	const struct dma_ops *ops; /* NULL: identity */
	void *iommu;
	u16 sid;
};

/*
 * One that keeps translations beyond a turn of the loop, and is told when they end: a device-TLB, a
 * vhost backend, a disk with requests at the host.  Filled by its owner, kept until
 * dma__unlisten().  Nothing here may be called from within the callbacks but dma__map() and the like.
 */
struct dma_listener {
	/*
	 * Forget translations of [@addr, @addr + @len) with @pasid (DMA_NO_PASID: those of requests
	 * without), @len of 0: of all addresses; @all: whatever their PASID.  When this returns
	 * there will be no access by them any more, those under way included.  A translation that is
	 * now the same may be kept: by now the IOMMU's caches have forgotten, too.  Accesses of its
	 * own (answers, faults, interrupts) are for a later turn: ask with DMA_PROBE here.
	 *
	 * A device-TLB (@ats) hears what the guest asks of it (VT-d 6.5.2.5, 6.5.2.8), anything else
	 * every invalidation that may concern it, as DMA_NO_PASID, coarser than needed.
	 */
	void (*invalidate)(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all);
	/* The answer to a page request group; NULL with no PRI. */
	void (*page_response)(struct dma_listener *l, u32 pasid, u16 prgi, enum dma_page_resp code);
	bool ats;
	/* Set by dma__listen(): */
	u16 sid;
	struct dma_listener *next; /* the IOMMU's */
};

/* Tell @l about @as from now on.  Nothing happens without an IOMMU, where nothing ever ends. */
void dma__listen(struct dma_as *as, struct dma_listener *l);
void dma__unlisten(struct dma_as *as, struct dma_listener *l);

/* As dma_ops.ats and .page_request; without an IOMMU -EOPNOTSUPP, and nothing. */
int dma__ats(struct dma_as *as, u32 pasid, u64 addr, u8 access, struct dma_ats *ats);
void dma__page_request(struct dma_as *as, u32 pasid, u64 addr, u8 access, u16 prgi, bool last);

/*
 * The pieces of [@addr, @addr + @len) as pointers, in order.  Returns how many (>= 1, @len > 0),
 * -EFAULT if any byte cannot be accessed so, -E2BIG if @max pieces are not enough.
 */
int dma__map(struct dma_as *as, u64 addr, u64 len, u8 access, struct iovec *iov, int max);
/* The same for a request with PASID (or DMA_NO_PASID). */
int dma__map_pasid(struct dma_as *as, u32 pasid, u64 addr, u64 len, u8 access, struct iovec *iov,
		   int max);

/*
 * What begins at @addr, as far as it is in one piece: a pointer, *@len (> 0) being cut to its length.
 * NULL if that one byte cannot be accessed.  For who keeps translations (struct dma_listener).
 */
void *dma__piece(struct dma_as *as, u64 addr, u64 *len, u8 access);

/* Copy; -EFAULT if any byte is refused (bytes before it may have been copied, as in hardware). */
int dma__read(struct dma_as *as, u64 addr, void *buf, u64 len);
int dma__write(struct dma_as *as, u64 addr, const void *buf, u64 len);

#endif
