/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_MEM_H
#define LKVM_MEM_H

/*
 * Guest memory: which guest-physical ranges are RAM, and the only way from a guest-physical address
 * to a pointer.
 */

#include "lkvm/util.h"

struct guest_mem;

struct mem_region {
	u64 gpa, size; /* both page aligned, size > 0 */
	void *hva;
};

/*
 * @size bytes of anonymous RAM (a multiple of 4 KiB), aligned and advised for huge pages, split
 * around the hole below 4 GiB, registered with the VM behind @vm_fd (-1: not registered, for tests).
 * NULL and a printed line on failure.
 */
struct guest_mem *mem__new(int vm_fd, u64 size);
/*
 * While options are parsed: RAM is to be of reserved huge pages.  mem__check(), for validate(), is 0,
 * or -EINVAL or -ENOMEM with a printed line if @size bytes cannot be had from them.
 */
void mem__use_hugepages(void);
int mem__check(u64 size);
/*
 * No vCPU may run after this.  KVM's slots stay until the VM is closed: to take them from it one by one
 * makes KVM wait for all its readers each time.  NULL is fine.
 */
void mem__free(struct guest_mem *mem);

/*
 * A pointer to [@gpa, @gpa + @len) if all of it is RAM of one region, else NULL; @len 0 gives NULL.
 * Any values are fine.  Guest vCPUs and devices may change the bytes at any time.  No lock needed:
 * the RAM map never changes after set-up.
 */
void *mem__ptr(const struct guest_mem *mem, u64 gpa, u64 len);

/*
 * @who (an option, for messages) needs every page of RAM to stay where it is, because a device that
 * asks nobody does DMA there.  While options are parsed; mem__pinned(), for validate(), is NULL or who.
 */
void mem__pin(const char *who);
const char *mem__pinned(void);

/* Copy; -EFAULT, having copied nothing, if the range is not all RAM (it may span regions). */
int mem__read(const struct guest_mem *mem, u64 gpa, void *buf, u64 len);
int mem__write(const struct guest_mem *mem, u64 gpa, const void *buf, u64 len);

/* The RAM regions in ascending order, for whoever must map all of RAM; *@n is their number. */
const struct mem_region *mem__regions(const struct guest_mem *mem, unsigned int *n);

/*
 * Map device memory (an assigned device's BAR, mmap()ed at @hva) into the guest: one KVM memory
 * slot, never reachable by mem__ptr().  Page aligned.  Returns a handle >= 0 or a negative errno.
 */
int mem__map_device(struct guest_mem *mem, u64 gpa, u64 size, void *hva);
void mem__unmap_device(struct guest_mem *mem, int handle);

#endif
