/* SPDX-License-Identifier: GPL-2.0-only */

/* A PCI function's accesses to memory: translation, piece by piece, then a pointer to RAM. */

#include <errno.h>
#include <string.h>

#include "lkvm/dma.h"
#include "lkvm/mem.h"

/* Where @addr is; *@len is cut to how much is contiguous and allowed there. */
static int dma_translate(struct dma_as *as, u32 pasid, u64 addr, u8 access, u64 *gpa, u64 *len)
{
	struct dma_req req = {
		.addr = addr,
		.pasid = pasid,
		.sid = as->sid,
		.access = access,
	};
	u64 n = *len;

	*gpa = addr;
	if (!as->ops)
		return 0;
	if (as->ops->translate(as->iommu, &req, gpa, &n) < 0)
		return -EFAULT;
	*len = MIN(*len, n);
	return 0;
}

/* The first contiguous piece of [@addr, @addr + *@len) as a pointer, *@len cut to its length. */
static void *dma_piece(struct dma_as *as, u32 pasid, u64 addr, u64 *len, u8 access)
{
	u64 gpa;

	if (dma_translate(as, pasid, addr, access, &gpa, len))
		return NULL;
	return mem__ptr(as->mem, gpa, *len);
}

void *dma__piece(struct dma_as *as, u64 addr, u64 *len, u8 access)
{
	const struct mem_region *ram;
	unsigned int n;
	u64 gpa;

	if (dma_translate(as, DMA_NO_PASID, addr, access, &gpa, len))
		return NULL;
	/* Unlike an access, this may be of more than there is. */
	ram = mem__regions(as->mem, &n);
	for (unsigned int i = 0; i < n; i++)
		if (gpa >= ram[i].gpa && gpa - ram[i].gpa < ram[i].size)
			*len = MIN(*len, ram[i].size - (gpa - ram[i].gpa));
	return mem__ptr(as->mem, gpa, *len);
}

static bool dma_wraps(u64 addr, u64 len)
{
	return len && addr + (len - 1) < addr;
}

int dma__map_pasid(struct dma_as *as, u32 pasid, u64 addr, u64 len, u8 access, struct iovec *iov,
		   int max)
{
	int n = 0;

	if (!len || dma_wraps(addr, len))
		return -EFAULT;
	while (len) {
		u64 part = len;
		char *p = dma_piece(as, pasid, addr, &part, access);

		if (!p)
			return -EFAULT;
		if (n && (char *)iov[n - 1].iov_base + iov[n - 1].iov_len == p) {
			iov[n - 1].iov_len += part;
		} else {
			if (n == max)
				return -E2BIG;
			iov[n++] = (struct iovec){ .iov_base = p, .iov_len = part };
		}
		addr += part;
		len -= part;
	}
	return n;
}

int dma__map(struct dma_as *as, u64 addr, u64 len, u8 access, struct iovec *iov, int max)
{
	return dma__map_pasid(as, DMA_NO_PASID, addr, len, access, iov, max);
}

static int dma_copy(struct dma_as *as, u64 addr, char *buf, u64 len, bool write)
{
	if (dma_wraps(addr, len))
		return -EFAULT;
	while (len) {
		u64 part = len;
		char *p = dma_piece(as, DMA_NO_PASID, addr, &part, write ? DMA_WRITE : DMA_READ);

		if (!p)
			return -EFAULT;
		if (write)
			memcpy(p, buf, part);
		else
			memcpy(buf, p, part);
		addr += part;
		buf += part;
		len -= part;
	}
	return 0;
}

int dma__read(struct dma_as *as, u64 addr, void *buf, u64 len)
{
	return dma_copy(as, addr, buf, len, false);
}

int dma__write(struct dma_as *as, u64 addr, const void *buf, u64 len)
{
	return dma_copy(as, addr, (char *)buf, len, true);
}

void dma__listen(struct dma_as *as, struct dma_listener *l)
{
	l->sid = as->sid;
	if (as->ops)
		as->ops->listen(as->iommu, l);
}

void dma__unlisten(struct dma_as *as, struct dma_listener *l)
{
	if (as->ops)
		as->ops->unlisten(as->iommu, l);
}

int dma__ats(struct dma_as *as, u32 pasid, u64 addr, u8 access, struct dma_ats *ats)
{
	struct dma_req req = { .addr = addr, .pasid = pasid, .sid = as->sid, .access = access };

	if (!as->ops)
		return -EOPNOTSUPP;
	return as->ops->ats(as->iommu, &req, ats);
}

void dma__page_request(struct dma_as *as, u32 pasid, u64 addr, u8 access, u16 prgi, bool last)
{
	struct dma_page_req req = {
		.addr = addr,
		.pasid = pasid,
		.sid = as->sid,
		.prgi = prgi,
		.access = access,
		.last = last,
	};

	if (as->ops)
		as->ops->page_request(as->iommu, &req);
}
