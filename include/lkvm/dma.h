/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_DMA_H
#define LKVM_DMA_H

/*
 * A PCI function's view of memory.  A device is never given a guest-physical address to use: it has
 * a dma_as, and every access goes through it, translated when there is an IOMMU.
 *
 * A pointer from here is good until the device returns to the loop; a mapping that outlives that (an
 * AIO in flight) is what real hardware's posted transactions are, and the RAM behind it stays mapped
 * for the life of the VM.  Loop lock held for all calls.
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
};

struct dma_req {
	u64 addr;
	u32 pasid; /* 20 bits, or DMA_NO_PASID */
	u16 sid;   /* requester: bus, device, function */
	u8 access; /* DMA_* */
};

struct dma_ops {
	/*
	 * Translate: *@gpa is where req->addr is, *@len (>= 1) how many bytes from there are
	 * contiguous in both spaces and allowed.  0, or -EFAULT if blocked: the IOMMU has then
	 * recorded the fault.
	 */
	int (*translate)(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len);
};

struct dma_as {
	struct guest_mem *mem;
	const struct dma_ops *ops; /* NULL: identity */
	void *iommu;
	u16 sid;
};

/*
 * The pieces of [@addr, @addr + @len) as pointers, in order.  Returns how many (>= 1, @len > 0),
 * -EFAULT if any byte cannot be accessed so, -E2BIG if @max pieces are not enough.
 */
int dma__map(struct dma_as *as, u64 addr, u64 len, u8 access, struct iovec *iov, int max);
/* The same for a request with PASID (or DMA_NO_PASID). */
int dma__map_pasid(struct dma_as *as, u32 pasid, u64 addr, u64 len, u8 access, struct iovec *iov,
		   int max);

/* Copy; -EFAULT if any byte is refused (bytes before it may have been copied, as in hardware). */
int dma__read(struct dma_as *as, u64 addr, void *buf, u64 len);
int dma__write(struct dma_as *as, u64 addr, const void *buf, u64 len);

#endif
