/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NESTED_H
#define NESTED_H

/*
 * Linux's iommufd and VFIO on lkvm's VT-d, seen from a user-space driver: the test device
 * (docs/testdev.md) bound to vfio-pci does DMA through page tables that the program made.
 *
 *   host.c     the device: opened, bound to iommufd, attached; its DMA
 *   hwpt.c     iommufd's objects
 *   tables.c   the memory behind the nesting parent, and first-stage tables in it
 *   klog.c     what the kernel has logged
 *   tap.c      the results
 *   stages.c, pasid.c, fault.c, pri.c, dirty.c: the tests
 */

#include <stdio.h>

#include "vfio/uapi.h"

#define PAGE 4096ull

/* --- What vfio/uapi.h has no use for --- */

#define IOMMUFD_HWPT_SET_DIRTY _IO(';', 0x8b)
#define IOMMUFD_HWPT_GET_DIRTY _IO(';', 0x8c)
#define IOMMUFD_FAULT_ALLOC    _IO(';', 0x8e)

#define IOMMUFD_HWPT_DIRTY    BIT(1)
#define IOMMUFD_HWPT_FAULT_ID BIT(2)

#define IOMMUFD_CAP_DIRTY BIT(0)

struct iommufd_set_dirty {
	u32 size;
	u32 flags; /* 1: on */
	u32 hwpt_id;
	u32 reserved;
};
UAPI_SIZE(iommufd_set_dirty, 16);

struct iommufd_get_dirty {
	u32 size;
	u32 hwpt_id;
	u32 flags;
	u32 reserved;
	u64 iova;
	u64 length;
	u64 page_size;
	u64 bitmap_uptr;
};
UAPI_SIZE(iommufd_get_dirty, 48);

struct iommufd_fault_alloc {
	u32 size;
	u32 flags;
	u32 out_fault_id;
	u32 out_fault_fd;
};
UAPI_SIZE(iommufd_fault_alloc, 16);

#define IOMMUFD_FAULT_PASID BIT(0)
#define IOMMUFD_FAULT_LAST  BIT(1)
#define IOMMUFD_FAULT_READ  BIT(0)
#define IOMMUFD_FAULT_WRITE BIT(1)

struct iommufd_fault {
	u32 flags;
	u32 dev_id;
	u32 pasid;
	u32 grpid;
	u32 perm;
	u32 reserved;
	u64 addr;
	u32 length;
	u32 cookie;
};
UAPI_SIZE(iommufd_fault, 40);

struct iommufd_fault_answer {
	u32 cookie;
	u32 code; /* 0: success, 1: invalid */
};
UAPI_SIZE(iommufd_fault_answer, 8);

/* --- tap.c --- */

bool tap__ok(bool good, const char *where, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
void tap__note(unsigned long long got, unsigned long long want);
int tap__done(void);

#define TAP_STR(x)  #x
#define TAP_LINE(x) TAP_STR(x)

/* One test: passes if @cond holds; the text (printf-style) says what must be true. */
#define ok(cond, ...) tap__ok(cond, __FILE__ ":" TAP_LINE(__LINE__) ": " #cond, __VA_ARGS__)

/* The same for two unsigned numbers, which a failure shows. */
#define eq(got, want, ...)                                                                         \
	do {                                                                                       \
		unsigned long long tap_g = (unsigned long long)(got);                              \
		unsigned long long tap_w = (unsigned long long)(want);                             \
		if (!ok(tap_g == tap_w, __VA_ARGS__))                                              \
			tap__note(tap_g, tap_w);                                                   \
	} while (0)

/* --- host.c --- */

#define NO_PASID    0xffffffffu
#define TAG_PASID   BIT(31) /* ... | the PASID */
#define DMA_DONE    1
#define DMA_REFUSED 2
#define DMA_PENDING 5
#define DMA_INVALID 7
#define MODE_ATS    BIT(0)
#define MODE_PRI    BIT(1)

struct host {
	int cdev;
	u32 dev; /* iommufd's id */
	volatile u8 *regs;
	const char *addr; /* 0000:00:05.0 */
	u32 mode;	  /* MODE_*, for the DMAs to come */
};

/* The device @addr behind the node @cdev, bound, bus mastering on; ends the program if that fails. */
struct host host__open(const char *addr, const char *cdev);
/* Attach to or replace by an IOAS or HWPT, for @pasid or NO_PASID: 0 or -errno. */
int host__attach(const struct host *h, u32 pt, u32 pasid);
int host__detach(const struct host *h, u32 pasid);
u32 host__reg(const struct host *h, u32 off);
/* Let the device write its @len bytes of @fill (or read) at @addr; returns its result register. */
u32 host__dma_write(const struct host *h, u64 addr, u32 len, u8 fill, u32 tag);
u32 host__dma_read(const struct host *h, u64 addr, u32 len, u32 tag);
/* What it holds in its buffer after a read: all @len bytes are @fill. */
bool host__holds(const struct host *h, u32 len, u8 fill);

/* --- hwpt.c: ids are > 0; failures are -errno --- */

void iommufd__open(void);
int iommufd__call(unsigned long nr, void *arg);
int iommufd__destroy(u32 id);
int iommufd__ioas(void);
int iommufd__map(u32 ioas, void *va, u64 len, u64 iova);
int iommufd__unmap(u32 ioas, u64 iova, u64 len);
int iommufd__bind(int cdev, u32 *dev);
int iommufd__hw_info(u32 dev, struct iommufd_hw_info *info, struct iommufd_hw_info_vtd *vtd);
int hwpt__paging(u32 dev, u32 ioas, u32 flags);
int hwpt__nested(u32 dev, u32 parent, u64 root, u32 width, u32 flags, u32 fault);
/* One entry of invalidation: @npages ~0 with @addr 0 is everything. */
int hwpt__invalidate(u32 hwpt, u64 addr, u64 npages, u32 flags);

/* --- tables.c --- */

/* What the nesting parent shows of the program's memory. */
#define RAM_BASE 0x40000000ull
#define RAM_SIZE (8 * MiB)

#define PTE_P	 BIT(0)
#define PTE_W	 BIT(1)
#define PTE_U	 BIT(2)
#define PTE_A	 BIT(5)
#define PTE_D	 BIT(6)
#define PTE_PS	 BIT(7)
#define PTE_USER (PTE_P | PTE_W | PTE_U)

/* All RAM_SIZE bytes, 2 MiB aligned; made at the first use. */
u8 *ram__base(void);
/* The program's pointer to an address of the parent. */
void *ram__at(u64 gpa);
/* The next unused page, all zeroes: its address in the parent.  Never given back. */
u64 ram__page(void);
/* All @len bytes at @gpa are @fill. */
bool ram__holds(u64 gpa, u32 len, u8 fill);
/* The entry of @level (1: leaves) for @iova in the tables at @root; tables on the way are made. */
volatile u64 *table__entry(u64 root, u64 iova, int level);

/* --- klog.c --- */

/* Messages from now on are looked at. */
void klog__mark(void);
/* Waits, a moment at most, for a message that contains all of the strings up to NULL. */
bool klog__has(const char *text, ...);
/* Since boot, nothing that a healthy kernel does not say; prints what was found. */
bool klog__healthy(void);

/* --- tests --- */

void test_stages(struct host *h);
void test_pasid(struct host *h);
void test_faults(struct host *h);
void test_pri(struct host *h);
void test_dirty(struct host *h);

#endif
