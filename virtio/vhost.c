/* SPDX-License-Identifier: GPL-2.0-only */
/* What vhost is to every kind of device: memory, rings, doorbells and interrupts. */
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "virtio/pci.h"
#include "virtio/queue.h"
#include "virtio/vhost.h"

/* What the transport offers by itself, so a driver may accept it. */
#define TRANSPORT                                                                                  \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX))

int vhost__request(struct vhost *v, unsigned long req, void *arg, const char *name)
{
	if (ioctl(v->fd, req, arg) >= 0)
		return 0;
	v->failed = name;
	return -errno;
}

static int set_memory(struct vhost *v, struct vm *vm)
{
	const struct mem_region *ram;
	struct vhost_memory *table;
	unsigned int n;
	int err;

	ram = mem__regions(vm->mem, &n);
	table = calloc(1, sizeof(*table) + n * sizeof(table->regions[0]));
	if (!table) {
		v->failed = "memory for a table";
		return -ENOMEM;
	}
	table->nregions = n;
	for (unsigned int i = 0; i < n; i++)
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = ram[i].gpa,
			.memory_size = ram[i].size,
			.userspace_addr = (uintptr_t)ram[i].hva,
		};
	err = VHOST_REQUEST(v, VHOST_SET_MEM_TABLE, table);
	free(table);
	return err;
}

/* vhost found a ring that breaks the rules, and has stopped to look at it. */
static void ring_broken(void *arg, u32 events)
{
	struct vhost *v = arg;
	u64 count;

	if (read(v->err_fd, &count, sizeof(count)) == sizeof(count) && v->running)
		virtio__fail(v->dev, "vhost cannot use a ring");
}

static int watch_errors(struct vhost *v, struct vm *vm)
{
	int err;

	v->failed = "an eventfd";
	v->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->err_fd < 0)
		return -errno;
	v->err_lfd = loop__add(vm->loop, v->err_fd, EPOLLIN, ring_broken, v);
	if (v->err_lfd)
		return 0;
	err = -errno;
	close(v->err_fd);
	v->err_fd = -1;
	return err;
}

int vhost__init(struct vhost *v, struct vm *vm, int fd, struct virtio_dev *dev, unsigned int first,
		unsigned int n)
{
	int err;

	*v = (struct vhost){ .fd = fd, .err_fd = -1, .dev = dev, .first = first, .n = n };
	v->translated = dev->pci.dma.ops != NULL;
	err = VHOST_REQUEST(v, VHOST_SET_OWNER, NULL);
	if (!err)
		err = VHOST_REQUEST(v, VHOST_GET_FEATURES, &v->features);
	if (err)
		return err;
	v->failed = "VIRTIO_F_VERSION_1 and the like";
	if ((v->features & TRANSPORT) != TRANSPORT)
		return -EOPNOTSUPP;
	err = set_memory(v, vm);
	if (!err)
		err = watch_errors(v, vm);
	if (!err && v->translated)
		err = vhost_iotlb__init(v, vm->loop);
	if (err)
		return err;
	for (unsigned int i = 0; i < n; i++)
		virtio_pci__give_kick(dev, first + i);
	return 0;
}

void vhost__exit(struct vhost *v)
{
	vhost__stop(v);
	if (v->fd < 0)
		return;
	vhost_iotlb__exit(v);
	loop__del(v->err_lfd);
	if (v->err_fd >= 0)
		close(v->err_fd);
	close(v->fd);
	v->err_lfd = NULL;
	v->fd = v->err_fd = -1;
}

/* The eventfd by which queue @q interrupts, or -1 if the driver does not want that. */
static int call_fd(const struct vhost *v, unsigned int q)
{
	u16 vector = v->dev->vq[q].vector;
	int fd;

	if (vector == VIRTIO_MSI_NO_VECTOR)
		return -1;
	fd = pci__msix_fd(&v->dev->pci, vector);
	return fd < 0 ? -1 : fd;
}

/* What vhost knows a ring by. */
static u64 ring_addr(const struct vhost *v, const struct virtq_ring *ring)
{
	return v->translated ? ring->addr : (uintptr_t)ring->host;
}

static int start_queue(struct vhost *v, unsigned int i)
{
	struct virtq *vq = &v->dev->vq[v->first + i];
	struct vhost_vring_state num = { .index = i, .num = vq->size };
	struct vhost_vring_state base = { .index = i, .num = vq->next_avail };
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = ring_addr(v, &vq->desc),
		.avail_user_addr = ring_addr(v, &vq->avail),
		.used_user_addr = ring_addr(v, &vq->used),
	};
	struct vhost_vring_file kick = {
		.index = i,
		.fd = virtio_pci__kick_fd(v->dev, v->first + i),
	};
	struct vhost_vring_file call = { .index = i, .fd = call_fd(v, v->first + i) };
	struct vhost_vring_file error = { .index = i, .fd = v->err_fd };
	int err;

	v->failed = "a ring that is not (all) RAM, or was not enabled";
	if (!vq->enabled)
		return -EFAULT;
	if (!v->translated && (!vq->desc.host || !vq->avail.host || !vq->used.host))
		return -EFAULT;
	err = VHOST_REQUEST(v, VHOST_SET_VRING_NUM, &num);
	if (!err)
		err = VHOST_REQUEST(v, VHOST_SET_VRING_BASE, &base);
	if (!err)
		err = VHOST_REQUEST(v, VHOST_SET_VRING_ADDR, &addr);
	if (!err)
		err = VHOST_REQUEST(v, VHOST_SET_VRING_ERR, &error);
	if (!err)
		err = VHOST_REQUEST(v, VHOST_SET_VRING_CALL, &call);
	if (!err)
		err = VHOST_REQUEST(v, VHOST_SET_VRING_KICK, &kick);
	return err;
}

/* vhost lets go of eventfds and translations; where it cannot it never had them. */
static void stop_queues(struct vhost *v)
{
	const char *failed = v->failed;

	for (unsigned int i = 0; i < v->n; i++) {
		struct vhost_vring_file none = { .index = i, .fd = VHOST_FILE_UNBIND };
		struct vhost_vring_state base = { .index = i };

		/* Where it goes on, unless a reset makes it begin anew. */
		if (!VHOST_REQUEST(v, VHOST_GET_VRING_BASE, &base))
			v->dev->vq[v->first + i].next_avail = base.num;
		VHOST_REQUEST(v, VHOST_SET_VRING_KICK, &none);
		VHOST_REQUEST(v, VHOST_SET_VRING_CALL, &none);
		VHOST_REQUEST(v, VHOST_SET_VRING_ERR, &none);
	}
	if (v->translated)
		vhost_iotlb__stop(v);
	v->failed = failed;
}

int vhost__start(struct vhost *v, u64 extra)
{
	u64 features = (v->dev->driver_features & v->features) | extra;
	int err;

	err = VHOST_REQUEST(v, VHOST_SET_FEATURES, &features);
	for (unsigned int i = 0; !err && i < v->n; i++)
		err = start_queue(v, i);
	if (!err && v->translated)
		err = vhost_iotlb__start(v);
	if (err)
		stop_queues(v);
	v->running = !err;
	return err;
}

void vhost__stop(struct vhost *v)
{
	if (!v->running)
		return;
	v->running = false;
	stop_queues(v);
}

void vhost__vector(struct vhost *v, unsigned int q)
{
	struct vhost_vring_file call = { .index = q - v->first };

	if (!v->running || q < v->first || q >= v->first + v->n)
		return;
	call.fd = call_fd(v, q);
	if (VHOST_REQUEST(v, VHOST_SET_VRING_CALL, &call))
		virtio__fail(v->dev, "vhost does not take an interrupt vector");
}
