/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHOST_FAKE_H
#define VHOST_FAKE_H

/*
 * A kernel with vhost that remembers what it was asked, and whose IOTLB is a list.  Define USER to
 * the file that uses vhost.
 */

#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lkvm/mem.h"

static int fake_ioctl(int fd, unsigned long req, void *arg);
static inline int fake_open(const char *path, int flags);
static ssize_t fake_read(int fd, void *buf, size_t len);
static ssize_t fake_write(int fd, const void *buf, size_t len);
#define ioctl(fd, req, arg) fake_ioctl(fd, req, arg)
#define open(path, flags)   fake_open(path, flags)
#include "virtio/vhost.c"
#ifdef USER
#include USER
#endif
#define read(fd, buf, len)  fake_read(fd, buf, len)
#define write(fd, buf, len) fake_write(fd, buf, len)
#include "virtio/vhost_iotlb.c"
#undef ioctl
#undef open
#undef read
#undef write
#include "tests/unit/virtio_drive.h"

#define VHOST_FEATURES                                                                             \
	(TRANSPORT | BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_VSOCK_F_SEQPACKET) |               \
	 BIT(VHOST_F_LOG_ALL))

static struct {
	u64 features, told, backend_features, backend_told, cid;
	struct vhost_vring_addr addr[2];
	u32 num[2], base[2];
	int kick[2], call[2], err[2];
	int running, owned;
	struct vhost_memory_region ram[2];
	u32 regions;
	/* The IOTLB, and the questions that were not read yet. */
	struct vhost_iotlb_msg tlb[64], asked[8];
	unsigned int ntlb, nasked, updates, invalidations;
	bool keeps_questions; /* as older kernels do */
	int fd;
} kernel;
static int open_error, refuse_error, refuse_msg;
static unsigned long refuse;
static int open_fds;

static inline int vhost_open(void)
{
	open_fds++;
	memset(&kernel, 0, sizeof(kernel));
	kernel.features = VHOST_FEATURES;
	kernel.backend_features = BIT(VHOST_BACKEND_F_IOTLB_MSG_V2);
	for (int i = 0; i < 2; i++)
		kernel.kick[i] = kernel.call[i] = kernel.err[i] = -1;
	kernel.fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	return kernel.fd;
}

static inline int fake_open(const char *path, int flags)
{
	errno = open_error;
	if (open_error || strncmp(path, "/dev/vhost-", 11))
		return -1;
	return vhost_open();
}

/* --- The IOTLB --- */

static inline const struct vhost_iotlb_msg *tlb_find(u64 addr)
{
	for (unsigned int i = 0; i < kernel.ntlb; i++)
		if (addr - kernel.tlb[i].iova < kernel.tlb[i].size)
			return &kernel.tlb[i];
	return NULL;
}

/* vhost has no translation of @addr. */
static inline void ask(u64 addr, u8 perm)
{
	kernel.asked[kernel.nasked++] =
	    (struct vhost_iotlb_msg){ .type = VHOST_IOTLB_MISS, .iova = addr, .perm = perm };
	if (write(kernel.fd, &(u64){ 1 }, 8) != 8)
		exit(1);
}

static ssize_t fake_read(int fd, void *buf, size_t len)
{
	struct vhost_msg_v2 msg = { .type = VHOST_IOTLB_MSG_V2 };
	u64 one;

	if (fd != kernel.fd || len < sizeof(msg))
		exit(1);
	if (!(fcntl(fd, F_GETFL) & O_NONBLOCK) || read(fd, &one, 8) != 8) {
		errno = EAGAIN;
		return -1;
	}
	msg.iotlb = kernel.asked[0];
	memmove(kernel.asked, kernel.asked + 1, --kernel.nasked * sizeof(kernel.asked[0]));
	memcpy(buf, &msg, sizeof(msg));
	return sizeof(msg);
}

static void clear_questions(void)
{
	struct vhost_msg_v2 msg;

	while (kernel.nasked)
		fake_read(kernel.fd, &msg, sizeof(msg));
}

/* As the kernel does it: an entry goes as a whole, a range of everything has no size. */
static void tlb_delete(u64 first, u64 last)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < kernel.ntlb; i++) {
		const struct vhost_iotlb_msg *e = &kernel.tlb[i];

		if (e->iova > last || e->iova + (e->size - 1) < first)
			kernel.tlb[n++] = *e;
	}
	kernel.ntlb = n;
}

static ssize_t fake_write(int fd, const void *buf, size_t len)
{
	const struct vhost_msg_v2 *msg = buf;
	const struct vhost_iotlb_msg *m = &msg->iotlb;

	errno = EFAULT;
	if (fd != kernel.fd || len != sizeof(*msg) || msg->type != VHOST_IOTLB_MSG_V2 ||
	    msg->asid || !m->size || m->iova + (m->size - 1) < m->iova || m->type == refuse_msg ||
	    !(kernel.told & BIT(VIRTIO_F_ACCESS_PLATFORM)))
		return -1;
	switch (m->type) {
	case VHOST_IOTLB_UPDATE:
		kernel.updates++;
		kernel.tlb[kernel.ntlb++] = *m;
		break;
	case VHOST_IOTLB_INVALIDATE:
		kernel.invalidations++;
		tlb_delete(m->iova, m->iova + (m->size - 1));
		break;
	default:
		return -1;
	}
	return len;
}

static void set_features(u64 features)
{
	if (!(features & BIT(VIRTIO_F_ACCESS_PLATFORM)) && !kernel.keeps_questions)
		clear_questions();
	kernel.told = features;
	kernel.ntlb = 0;
}

/* --- Requests --- */

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	struct vhost_vring_state *state = arg;
	struct vhost_vring_file *file = arg;
	struct vhost_memory *mem = arg;

	if (req == refuse) {
		errno = refuse_error;
		return -1;
	}
	switch (req) {
	case VHOST_GET_FEATURES:
		*(u64 *)arg = kernel.features;
		break;
	case VHOST_SET_FEATURES:
		set_features(*(u64 *)arg);
		break;
	case VHOST_GET_BACKEND_FEATURES:
		*(u64 *)arg = kernel.backend_features;
		break;
	case VHOST_SET_BACKEND_FEATURES:
		kernel.backend_told = *(u64 *)arg;
		break;
	case VHOST_VSOCK_SET_GUEST_CID:
		kernel.cid = *(u64 *)arg;
		break;
	case VHOST_SET_OWNER:
		kernel.owned++;
		break;
	case VHOST_SET_MEM_TABLE:
		kernel.regions = mem->nregions;
		memcpy(kernel.ram, mem->regions, mem->nregions * sizeof(mem->regions[0]));
		break;
	case VHOST_SET_VRING_NUM:
		kernel.num[state->index] = state->num;
		break;
	case VHOST_SET_VRING_BASE:
		kernel.base[state->index] = state->num;
		break;
	case VHOST_GET_VRING_BASE:
		state->num = kernel.base[state->index];
		break;
	case VHOST_SET_VRING_ADDR:
		kernel.addr[*(u32 *)arg] = *(struct vhost_vring_addr *)arg;
		break;
	case VHOST_SET_VRING_KICK:
		kernel.kick[file->index] = file->fd;
		break;
	case VHOST_SET_VRING_CALL:
		kernel.call[file->index] = file->fd;
		break;
	case VHOST_SET_VRING_ERR:
		kernel.err[file->index] = file->fd;
		break;
	case VHOST_VSOCK_SET_RUNNING:
		kernel.running = *(int *)arg;
		break;
	default:
		errno = ENOTTY;
		return -1;
	}
	return 0;
}

/* --- The house --- */

const struct mem_region *mem__regions(const struct guest_mem *mem, unsigned int *n)
{
	static const struct mem_region regions[] = {
		{ .gpa = 0, .size = RAM_SIZE, .hva = ram },
		{ .gpa = 4 * GiB, .size = PAGE, .hva = ram },
	};

	*n = 2;
	return regions;
}

int pci__msix_fd(const struct pci_func *f, unsigned int vec)
{
	return vec < nvectors ? 1000 + (int)vec : -EINVAL;
}

#endif
