/* SPDX-License-Identifier: GPL-2.0-only */

/* The test device as a user-space driver has it: VFIO's character device, BAR 0 mapped. */

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nested.h"

/* docs/testdev.md */
#define REG_SRC	   0x80
#define REG_DST	   0x88
#define REG_COUNT  0x90
#define REG_CMD	   0x98
#define REG_X_ID   0x100
#define REG_TAG	   0x104
#define REG_RESULT 0x108
#define REG_MODE   0x110
#define BUF	   0x40000
#define CMD_START  1
#define CMD_TO_RAM 2
#define X_ID	   0x6b76

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "nested: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct vfio_region_info region(const struct host *h, u32 index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(h->cdev, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		die("VFIO_DEVICE_GET_REGION_INFO");
	return info;
}

static void enable(const struct host *h)
{
	off_t at = (off_t)region(h, VFIO_PCI_CONFIG_REGION_INDEX).offset + PCI_COMMAND;
	u16 cmd;

	if (pread(h->cdev, &cmd, sizeof(cmd), at) != sizeof(cmd))
		die("configuration space");
	cmd |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(h->cdev, &cmd, sizeof(cmd), at) != sizeof(cmd))
		die("configuration space");
}

struct host host__open(const char *addr, const char *cdev)
{
	struct host h = { .addr = addr };
	struct vfio_region_info bar;
	int err;

	h.cdev = open(cdev, O_RDWR | O_CLOEXEC);
	if (h.cdev < 0)
		die(cdev);
	err = iommufd__bind(h.cdev, &h.dev);
	if (err) {
		errno = -err;
		die("VFIO_DEVICE_BIND_IOMMUFD");
	}
	enable(&h);
	bar = region(&h, VFIO_PCI_BAR0_REGION_INDEX);
	h.regs =
	    mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, h.cdev, (off_t)bar.offset);
	if (h.regs == MAP_FAILED)
		die("BAR 0");
	if (host__reg(&h, REG_X_ID) >> 16 != X_ID) {
		errno = ENODEV;
		die("not lkvm's test device");
	}
	return h;
}

int host__attach(const struct host *h, u32 pt, u32 pasid)
{
	struct vfio_cdev_attach cmd = { .argsz = offsetof(struct vfio_cdev_attach, pasid),
					.pt_id = pt };

	if (pasid != NO_PASID) {
		cmd.argsz = sizeof(cmd);
		cmd.flags = VFIO_CDEV_PASID;
		cmd.pasid = pasid;
	}
	return ioctl(h->cdev, VFIO_CDEV_ATTACH, &cmd) < 0 ? -errno : 0;
}

int host__detach(const struct host *h, u32 pasid)
{
	struct vfio_cdev_detach cmd = { .argsz = offsetof(struct vfio_cdev_detach, pasid) };

	if (pasid != NO_PASID) {
		cmd.argsz = sizeof(cmd);
		cmd.flags = VFIO_CDEV_PASID;
		cmd.pasid = pasid;
	}
	return ioctl(h->cdev, VFIO_CDEV_DETACH, &cmd) < 0 ? -errno : 0;
}

u32 host__reg(const struct host *h, u32 off)
{
	return *(volatile u32 *)(h->regs + off);
}

static void put32(const struct host *h, u32 off, u32 val)
{
	*(volatile u32 *)(h->regs + off) = val;
}

static void put64(const struct host *h, u32 off, u64 val)
{
	*(volatile u64 *)(h->regs + off) = val;
}

static u32 dma(const struct host *h, u64 addr, u32 len, u32 tag, bool to_ram)
{
	put32(h, REG_TAG, tag);
	put32(h, REG_MODE, h->mode);
	put64(h, REG_SRC, to_ram ? BUF : addr);
	put64(h, REG_DST, to_ram ? addr : BUF);
	put64(h, REG_COUNT, len);
	put64(h, REG_CMD, CMD_START | (to_ram ? CMD_TO_RAM : 0));
	return host__reg(h, REG_RESULT);
}

static u64 pattern(u8 fill)
{
	return fill * 0x0101010101010101ull;
}

u32 host__dma_write(const struct host *h, u64 addr, u32 len, u8 fill, u32 tag)
{
	for (u32 i = 0; i < len; i += 8)
		put64(h, BUF + i, pattern(fill));
	return dma(h, addr, len, tag, true);
}

u32 host__dma_read(const struct host *h, u64 addr, u32 len, u32 tag)
{
	for (u32 i = 0; i < len; i += 8)
		put64(h, BUF + i, 0);
	return dma(h, addr, len, tag, false);
}

bool host__holds(const struct host *h, u32 len, u8 fill)
{
	for (u32 i = 0; i < len; i += 8)
		if (*(volatile u64 *)(h->regs + BUF + i) != pattern(fill))
			return false;
	return true;
}
