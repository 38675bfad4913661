/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Guest RAM, and KVM's memory slots.
 *
 * All RAM is one anonymous mapping; the part beyond RAM_LOW_MAX is seen by the guest at 4 GiB.  It
 * starts on a 1 GiB boundary, so both parts can be backed by huge pages at equal offsets in guest and
 * host addresses, which second-level huge mappings need.  On request they are reserved ones
 * (hugetlbfs.rst in the kernel's documentation), which are there or not before the guest starts.
 */

#include <errno.h>
#include <linux/kvm.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"

#define RAM_SLOTS    2
#define DEVICE_SLOTS 256

#define HUGE_PAGE (2 * MiB)
#define HUGE_DIR  "/sys/kernel/mm/hugepages/hugepages-2048kB/"

struct guest_mem {
	int vm_fd;
	struct mem_region ram[RAM_SLOTS];
	unsigned int nram;
	void *base; /* of the mapping */
	u64 size;
	/* KVM slot RAM_SLOTS + i; size 0: free */
	struct mem_region device[DEVICE_SLOTS];
};

static bool hugepages;

void mem__use_hugepages(void)
{
	hugepages = true;
}

/* One of the kernel's counters of huge pages; 0 if it has none. */
static u64 huge_count(const char *path)
{
	FILE *f = fopen(path, "re");
	u64 n = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

static int no_hugepages(u64 size, u64 have)
{
	pr_err("--hugepages: the guest needs %llu huge pages of 2 MiB, this host has %llu free; as "
	       "root: sysctl vm.nr_hugepages=%llu",
	       size / HUGE_PAGE, have,
	       huge_count(HUGE_DIR "nr_hugepages") - have + size / HUGE_PAGE);
	return -ENOMEM;
}

int mem__check(u64 size)
{
	u64 free_pages, reserved;

	if (!hugepages)
		return 0;
	if (!IS_ALIGNED(size, HUGE_PAGE)) {
		pr_err("--hugepages: --mem must be a multiple of 2M, not %llu KiB", size / KiB);
		return -EINVAL;
	}
	free_pages = huge_count(HUGE_DIR "free_hugepages");
	reserved = huge_count(HUGE_DIR "resv_hugepages");
	free_pages -= MIN(reserved, free_pages);
	return free_pages < size / HUGE_PAGE ? no_hugepages(size, free_pages) : 0;
}

static int set_slot(const struct guest_mem *mem, u32 slot, u64 gpa, u64 size, void *hva)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	if (mem->vm_fd < 0)
		return 0;
	return ioctl(mem->vm_fd, KVM_SET_USER_MEMORY_REGION, &r) < 0 ? -errno : 0;
}

/* @size bytes at an address that is a multiple of @align. */
static void *map_aligned(u64 size, u64 align)
{
	char *p, *start;
	u64 head;

	p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	start = (char *)(uintptr_t)ALIGN_UP((uintptr_t)p, align);
	head = start - p;
	if (head)
		munmap(p, head);
	munmap(start + size, align - head);
	/* This reserves as many, or fails if there are too few. */
	if (hugepages && mmap(start, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB | MAP_HUGE_2MB,
			      -1, 0) == MAP_FAILED) {
		int err = errno;

		munmap(start, size);
		errno = err;
		return NULL;
	}
	return start;
}

struct guest_mem *mem__new(int vm_fd, u64 size)
{
	struct guest_mem *mem = calloc(1, sizeof(*mem));
	u64 low = MIN(size, RAM_LOW_MAX);
	int ret;

	if (!mem)
		goto err_nomem;
	mem->vm_fd = vm_fd;
	mem->size = size;
	mem->base = map_aligned(size, size >= GiB ? GiB : 2 * MiB);
	if (!mem->base && hugepages) {
		no_hugepages(size, huge_count(HUGE_DIR "free_hugepages"));
		goto err_mem;
	}
	if (!mem->base)
		goto err_nomem;
	/* Without them nested paging is many times slower, but the guest runs. */
	madvise(mem->base, size, MADV_HUGEPAGE);

	mem->ram[mem->nram++] = (struct mem_region){ .gpa = 0, .size = low, .hva = mem->base };
	if (size > low)
		mem->ram[mem->nram++] = (struct mem_region){
			.gpa = RAM_HIGH_BASE,
			.size = size - low,
			.hva = (char *)mem->base + low,
		};
	for (u32 i = 0; i < mem->nram; i++) {
		ret = set_slot(mem, i, mem->ram[i].gpa, mem->ram[i].size, mem->ram[i].hva);
		if (ret < 0) {
			pr_err("KVM refuses guest RAM at %#llx: %s", mem->ram[i].gpa,
			       strerror(-ret));
			goto err_mem;
		}
	}
	return mem;

err_nomem:
	pr_err("cannot get %llu MiB of guest RAM: %s; try a smaller --mem", size / MiB,
	       strerror(errno));
err_mem:
	mem__free(mem);
	return NULL;
}

void mem__free(struct guest_mem *mem)
{
	if (!mem)
		return;
	if (mem->base)
		munmap(mem->base, mem->size);
	free(mem);
}

/* The region that holds @gpa, and in *@room how many bytes of it lie at and behind @gpa. */
static const struct mem_region *ram_find(const struct guest_mem *mem, u64 gpa, u64 *room)
{
	for (unsigned int i = 0; i < mem->nram; i++) {
		const struct mem_region *r = &mem->ram[i];

		/* Below it the difference is larger than any size. */
		if (gpa - r->gpa < r->size) {
			*room = r->size - (gpa - r->gpa);
			return r;
		}
	}
	return NULL;
}

void *mem__ptr(const struct guest_mem *mem, u64 gpa, u64 len)
{
	u64 room;
	const struct mem_region *r = ram_find(mem, gpa, &room);

	if (!r || !len || len > room)
		return NULL;
	return (char *)r->hva + (gpa - r->gpa);
}

/* Is all of [@gpa, @gpa + @len) RAM, of whichever regions? */
static bool is_all_ram(const struct guest_mem *mem, u64 gpa, u64 len)
{
	u64 room;

	while (len) {
		if (!ram_find(mem, gpa, &room))
			return false;
		if (len <= room)
			return true;
		gpa += room;
		len -= room;
	}
	return true;
}

/* Copy between @buf and RAM; is_all_ram() holds. */
static void ram_copy(const struct guest_mem *mem, u64 gpa, char *buf, u64 len, bool to_ram)
{
	while (len) {
		u64 room, n;
		const struct mem_region *r = ram_find(mem, gpa, &room);
		char *p = (char *)r->hva + (gpa - r->gpa);

		n = MIN(len, room);
		if (to_ram)
			memcpy(p, buf, n);
		else
			memcpy(buf, p, n);
		gpa += n;
		buf += n;
		len -= n;
	}
}

int mem__read(const struct guest_mem *mem, u64 gpa, void *buf, u64 len)
{
	if (!is_all_ram(mem, gpa, len))
		return -EFAULT;
	ram_copy(mem, gpa, buf, len, false);
	return 0;
}

int mem__write(const struct guest_mem *mem, u64 gpa, const void *buf, u64 len)
{
	if (!is_all_ram(mem, gpa, len))
		return -EFAULT;
	ram_copy(mem, gpa, (char *)buf, len, true);
	return 0;
}

static const char *pinned;

void mem__pin(const char *who)
{
	pinned = who;
}

const char *mem__pinned(void)
{
	return pinned;
}

const struct mem_region *mem__regions(const struct guest_mem *mem, unsigned int *n)
{
	*n = mem->nram;
	return mem->ram;
}

int mem__map_device(struct guest_mem *mem, u64 gpa, u64 size, void *hva)
{
	int ret;

	if (!size || !IS_ALIGNED(gpa | size | (uintptr_t)hva, 4096))
		return -EINVAL;
	for (u32 i = 0; i < DEVICE_SLOTS; i++) {
		if (mem->device[i].size)
			continue;
		ret = set_slot(mem, RAM_SLOTS + i, gpa, size, hva);
		if (ret < 0)
			return ret;
		mem->device[i] = (struct mem_region){ .gpa = gpa, .size = size, .hva = hva };
		return (int)i;
	}
	return -ENOSPC;
}

void mem__unmap_device(struct guest_mem *mem, int handle)
{
	if (handle < 0 || handle >= DEVICE_SLOTS || !mem->device[handle].size)
		return;
	set_slot(mem, RAM_SLOTS + handle, mem->device[handle].gpa, 0, NULL);
	mem->device[handle].size = 0;
}
