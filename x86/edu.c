/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * --testdev: a function with the register interface of QEMU's "edu" device, and an extension by
 * which a guest chooses how its DMA looks to the IOMMU and learns how it ended (docs/testdev.md).
 *
 * DMA of at most 4 KiB is done within the write that starts it.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lkvm/bus.h"
#include "lkvm/module.h"
#include "lkvm/pci.h"
#include "lkvm/vm.h"

#define EDU_VENDOR   0x1234
#define EDU_DEVICE   0x11e8
#define EDU_CLASS    0x00ff00
#define EDU_REVISION 0x10
#define EDU_MAX	     8

#define BAR_REGS      0
#define BAR_REGS_SIZE (1 * MiB)
#define BAR_MSIX      1
#define MSIX_PBA      0x800
#define VECTORS	      4

/* edu's own; 64 bits wide from 80h on */
#define REG_ID	       0x00
#define REG_LIVE       0x04
#define REG_FACTORIAL  0x08
#define REG_STATUS     0x20
#define REG_IRQ_STATUS 0x24
#define REG_IRQ_RAISE  0x60
#define REG_IRQ_ACK    0x64
#define REG_DMA_SRC    0x80
#define REG_DMA_DST    0x88
#define REG_DMA_COUNT  0x90
#define REG_DMA_CMD    0x98
/* The extension */
#define REG_X_ID     0x100
#define REG_X_TAG    0x104
#define REG_X_RESULT 0x108
#define REG_X_VECTOR 0x10c
#define REGS_END     0x110

#define EDU_ID	      0x010000ed
#define X_ID	      0x6b760001
#define STATUS_IRQ    BIT(7)
#define CMD_START     BIT(0)
#define CMD_TO_RAM    BIT(1)
#define CMD_IRQ	      BIT(2)
#define CMD_BITS      (CMD_START | CMD_TO_RAM | CMD_IRQ)
#define IRQ_DMA	      0x100
#define IRQ_FACTORIAL 0x001
#define TAG_PASID     GENMASK(19, 0)
#define TAG_EXEC      BIT(29)
#define TAG_PRIV      BIT(30)
#define TAG_VALID     BIT(31)

enum result { X_NONE, X_DONE, X_REFUSED, X_BAD_RANGE, X_NO_MASTER };

#define BUF_BASE 0x40000
#define BUF_SIZE 4096

/* A page's worth touches two pages, with a seam of the address map in one of them. */
#define PIECES 4

struct edu {
	struct pci_func pci;
	char name[24];
	u32 live, factorial, status, irq_status;
	u32 tag, result, vector;
	u64 src, dst, count, cmd;
	u8 buf[BUF_SIZE];
};

static struct edu edus[EDU_MAX];
static unsigned int nr_wanted, nr_added;

static void raise_irq(struct edu *e, u32 why)
{
	e->irq_status |= why;
	if (e->irq_status)
		pci__msix_fire(&e->pci, e->vector);
}

/* Modulo 2^32, where every factorial from 34 on is zero: a guest's number sets no pace. */
static u32 factorial(u32 n)
{
	u32 f = 1;

	for (u32 i = 2; i <= n && f; i++)
		f *= i;
	return f;
}

static enum result dma_run(struct edu *e)
{
	bool to_ram = e->cmd & CMD_TO_RAM;
	u64 at = (to_ram ? e->src : e->dst) - BUF_BASE, ram = to_ram ? e->dst : e->src;
	u8 access = to_ram ? DMA_WRITE : DMA_READ, *buf = e->buf;
	u32 pasid = DMA_NO_PASID;
	struct iovec iov[PIECES];
	int n;

	if (!e->count || at >= BUF_SIZE || e->count > BUF_SIZE - at)
		return X_BAD_RANGE;
	if (!pci__bus_master(&e->pci))
		return X_NO_MASTER;
	/* PCIe 6.20: the attributes are part of the PASID prefix and need one. */
	if (e->tag & TAG_VALID) {
		pasid = e->tag & TAG_PASID;
		access |= (e->tag & TAG_PRIV ? DMA_PRIV : 0) |
			  (e->tag & TAG_EXEC && !to_ram ? DMA_EXEC : 0);
	}
	n = dma__map_pasid(&e->pci.dma, pasid, ram, e->count, access, iov, PIECES);
	if (n < 0)
		return X_REFUSED;
	buf += at;
	for (int i = 0; i < n; i++) {
		if (to_ram)
			memcpy(iov[i].iov_base, buf, iov[i].iov_len);
		else
			memcpy(buf, iov[i].iov_base, iov[i].iov_len);
		buf += iov[i].iov_len;
	}
	return X_DONE;
}

static void command(struct edu *e)
{
	e->cmd &= CMD_BITS;
	if (!(e->cmd & CMD_START))
		return;
	e->result = dma_run(e);
	e->cmd &= ~CMD_START;
	if (e->cmd & CMD_IRQ)
		raise_irq(e, IRQ_DMA);
}

static u64 *dma_reg(struct edu *e, u32 off)
{
	switch (off) {
	case REG_DMA_SRC:
		return &e->src;
	case REG_DMA_DST:
		return &e->dst;
	case REG_DMA_COUNT:
		return &e->count;
	case REG_DMA_CMD:
		return &e->cmd;
	}
	return NULL;
}

static u32 reg_read(struct edu *e, u32 off)
{
	u64 *wide = dma_reg(e, off & ~7u);

	if (wide)
		return *wide >> 8 * (off & 4);
	switch (off) {
	case REG_ID:
		return EDU_ID;
	case REG_LIVE:
		return e->live;
	case REG_FACTORIAL:
		return e->factorial;
	case REG_STATUS:
		return e->status;
	case REG_IRQ_STATUS:
		return e->irq_status;
	case REG_X_ID:
		return X_ID;
	case REG_X_TAG:
		return e->tag;
	case REG_X_RESULT:
		return e->result;
	case REG_X_VECTOR:
		return e->vector;
	}
	return ~0u;
}

static void reg_write(struct edu *e, u32 off, u32 val)
{
	u64 *wide = dma_reg(e, off & ~7u);
	u32 shift = 8 * (off & 4);

	if (wide) {
		*wide = (*wide & ~(0xffffffffULL << shift)) | (u64)val << shift;
		return;
	}
	switch (off) {
	case REG_LIVE:
		e->live = ~val;
		break;
	case REG_FACTORIAL:
		e->factorial = factorial(val);
		if (e->status & STATUS_IRQ)
			raise_irq(e, IRQ_FACTORIAL);
		break;
	case REG_STATUS:
		e->status = val & STATUS_IRQ;
		break;
	case REG_IRQ_RAISE:
		raise_irq(e, val);
		break;
	case REG_IRQ_ACK:
		e->irq_status &= ~val;
		break;
	case REG_X_TAG:
		e->tag = val & (TAG_PASID | TAG_EXEC | TAG_PRIV | TAG_VALID);
		break;
	case REG_X_VECTOR:
		e->vector = val % VECTORS;
		break;
	}
}

/* As edu: aligned dwords, and qwords from 80h on; anything else reads as ones and is dropped. */
static void regs_access(struct edu *e, u32 off, u8 *data, u32 len, bool write)
{
	u32 i, val;

	if (len != 4 && (len != 8 || off < REG_DMA_SRC))
		return;
	if (off % len)
		return;
	for (i = 0; i < len; i += 4) {
		if (write) {
			memcpy(&val, data + i, 4);
			reg_write(e, off + i, val);
		} else {
			val = reg_read(e, off + i);
			memcpy(data + i, &val, 4);
		}
	}
	/* Both halves are in place. */
	if (write && off == REG_DMA_CMD)
		command(e);
}

static void bar_access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write)
{
	struct edu *e = f->priv;

	if (!write)
		memset(data, 0xff, len);
	if (bar != BAR_REGS)
		return;
	if (off + len <= REGS_END) {
		regs_access(e, off, data, len, write);
	} else if (off >= BUF_BASE && off + len <= BUF_BASE + BUF_SIZE) {
		if (write)
			memcpy(e->buf + (off - BUF_BASE), data, len);
		else
			memcpy(data, e->buf + (off - BUF_BASE), len);
	}
}

static void edu_reset(struct pci_func *f)
{
	struct edu *e = f->priv;

	e->live = e->factorial = e->status = e->irq_status = 0;
	e->tag = e->result = e->vector = 0;
	e->src = e->dst = e->count = e->cmd = 0;
	memset(e->buf, 0, sizeof(e->buf));
}

static const struct pci_func_ops edu_ops = {
	.bar_access = bar_access,
	.reset = edu_reset,
};

static int edu_add(struct vm *vm, struct edu *e, unsigned int index)
{
	struct pci_func *f = &e->pci;
	int err;

	*e = (struct edu){ 0 };
	snprintf(e->name, sizeof(e->name), "testdev.%u", index);
	f->name = e->name;
	f->ops = &edu_ops;
	f->priv = e;
	pci__init_func(f, EDU_VENDOR, EDU_DEVICE, EDU_CLASS, EDU_REVISION);
	err = pci__add_bar(f, BAR_REGS, BAR_REGS_SIZE, false, false);
	if (!err)
		err = pci__add_bar(f, BAR_MSIX, 4 * KiB, false, false);
	if (!err)
		err = MIN(pci__add_msix(f, BAR_MSIX, VECTORS, 0, MSIX_PBA), 0);
	if (err)
		pr_err("%s: cannot be described: %s", f->name, strerror(-err));
	else
		err = pci__add(vm->pci, f, -1); /* it says why not */
	if (err)
		pci__del(f);
	return err;
}

static void edu_teardown(struct vm *vm)
{
	while (nr_added)
		pci__del(&edus[--nr_added].pci);
}

static int edu_setup(struct vm *vm)
{
	while (nr_added < nr_wanted) {
		int err = edu_add(vm, &edus[nr_added], nr_added);

		if (err) {
			edu_teardown(vm);
			return err;
		}
		nr_added++;
	}
	return 0;
}

static int edu_parse(const char *arg)
{
	if (nr_wanted == EDU_MAX) {
		pr_err("--testdev: %d test devices are the most there can be; give fewer", EDU_MAX);
		return -EINVAL;
	}
	nr_wanted++;
	return 0;
}

static const struct option_def edu_options[] = {
	{ .name = "testdev",
	  .parse = edu_parse,
	  .help = "a PCI function for tests of DMA and interrupts (may be repeated)" },
	{ .name = NULL },
};

static struct module edu_module = {
	.name = "testdev",
	.level = MODULE_DEVICE,
	.options = edu_options,
	.setup = edu_setup,
	.teardown = edu_teardown,
};
LKVM_MODULE(edu_module)
