/* SPDX-License-Identifier: GPL-2.0-only */

/* The test device's registers and buffer (docs/testdev.md). */

#include <string.h>

#include "x86/edu.h"

#define BAR_REGS 0

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
#define REG_X_ID	   0x100
#define REG_X_TAG	   0x104
#define REG_X_RESULT	   0x108
#define REG_X_VECTOR	   0x10c
#define REG_X_MODE	   0x110
#define REG_TLB_COUNT	   0x114
#define REG_TLB_PROBE	   0x118
#define REG_TLB_FOUND	   0x120
#define REG_TLB_ADDR	   0x128
#define REG_TLB_REQUESTS   0x130
#define REG_TLB_INVS	   0x134
#define REG_TLB_DROPPED	   0x138
#define REG_TLB_FLUSH	   0x13c
#define REG_PRI_ADDR	   0x140
#define REG_PRI_SEND	   0x148
#define REG_PRI_WAITING	   0x14c
#define REG_PRI_SENT	   0x150
#define REG_PRI_RESPONSES  0x154
#define REG_PRI_LAST	   0x158
#define REG_PRI_LAST_PASID 0x15c
#define REGS_END	   0x160

#define EDU_ID	      0x010000ed
#define X_ID	      0x6b760002
#define STATUS_IRQ    BIT(7)
#define IRQ_FACTORIAL 0x001
#define FOUND_HIT     BIT(31)
#define SEND_PRGI     GENMASK(8, 0)
#define SEND_LAST     BIT(16)
#define SEND_READ     BIT(17)
#define SEND_WRITE    BIT(18)
#define SEND_DONE     1
#define SEND_REFUSED  2

void edu_regs__raise_irq(struct edu *e, u32 why)
{
	e->irq_status |= why;
	if (e->irq_status)
		pci__msix_fire(&e->pci, e->vector);
}

/* PCIe 6.20: the attributes are part of the PASID prefix and need one. */
struct edu_tag edu_regs__tag(const struct edu *e, bool read)
{
	struct edu_tag tag = { .pasid = DMA_NO_PASID };

	if (e->tag & EDU_TAG_VALID) {
		tag.pasid = e->tag & EDU_TAG_PASID;
		tag.attr = (e->tag & EDU_TAG_PRIV ? DMA_PRIV : 0) |
			   (e->tag & EDU_TAG_EXEC && read ? DMA_EXEC : 0);
	}
	return tag;
}

/* Modulo 2^32, where every factorial from 34 on is zero: a guest's number sets no pace. */
static u32 factorial(u32 n)
{
	u32 f = 1;

	for (u32 i = 2; i <= n && f; i++)
		f *= i;
	return f;
}

static void command(struct edu *e)
{
	e->cmd &= EDU_CMD_BITS;
	if (e->cmd & EDU_CMD_START)
		edu_dma__start(e);
	else if (e->job.active)
		e->cmd |= EDU_CMD_START;
}

/* What the tag and the probe register name, as the device-TLB has it. */
static const struct edu_tlb_entry *probe(struct edu *e)
{
	struct edu_tag tag = edu_regs__tag(e, true);

	return edu_tlb__find(e, &tag, e->probe);
}

static u32 found(struct edu *e)
{
	const struct edu_tlb_entry *t = probe(e);

	if (!t)
		return 0;
	return FOUND_HIT | (u32)__builtin_ctzll(t->size) << 8 | t->untranslated << 4 |
	       t->global << 3 | (t->perm & (DMA_READ | DMA_WRITE | DMA_EXEC));
}

static u64 translated(struct edu *e)
{
	const struct edu_tlb_entry *t = probe(e);

	return t ? t->gpa + (e->probe - t->addr) : ~0ULL;
}

static void page_request(struct edu *e, u32 val)
{
	bool read = val & SEND_READ, write = val & SEND_WRITE;
	struct edu_tag tag = edu_regs__tag(e, read);
	bool sent =
	    edu_pri__send(e, &tag, e->page_addr, (read ? DMA_READ : 0) | (write ? DMA_WRITE : 0),
			  val & SEND_PRGI, val & SEND_LAST);

	e->page_result = sent ? SEND_DONE : SEND_REFUSED;
}

static u64 *wide_reg(struct edu *e, u32 off)
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
	case REG_TLB_PROBE:
		return &e->probe;
	case REG_PRI_ADDR:
		return &e->page_addr;
	}
	return NULL;
}

static u32 ext_read(struct edu *e, u32 off)
{
	switch (off) {
	case REG_X_ID:
		return X_ID;
	case REG_X_TAG:
		return e->tag;
	case REG_X_RESULT:
		return e->result;
	case REG_X_VECTOR:
		return e->vector;
	case REG_X_MODE:
		return e->mode;
	case REG_TLB_COUNT:
		return edu_tlb__count(e);
	case REG_TLB_FOUND:
		return found(e);
	case REG_TLB_ADDR:
		return translated(e);
	case REG_TLB_ADDR + 4:
		return translated(e) >> 32;
	case REG_TLB_REQUESTS:
		return e->tlb.requests;
	case REG_TLB_INVS:
		return e->tlb.invalidations;
	case REG_TLB_DROPPED:
		return e->tlb.dropped;
	case REG_PRI_SEND:
		return e->page_result;
	case REG_PRI_WAITING:
		return edu_pri__outstanding(e);
	case REG_PRI_SENT:
		return e->pri.sent;
	case REG_PRI_RESPONSES:
		return e->pri.responses;
	case REG_PRI_LAST:
		return e->pri.last;
	case REG_PRI_LAST_PASID:
		return e->pri.last_pasid;
	}
	return ~0u;
}

static u32 reg_read(struct edu *e, u32 off)
{
	u64 *wide = wide_reg(e, off & ~7u);

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
	}
	return ext_read(e, off);
}

static void reg_write(struct edu *e, u32 off, u32 val)
{
	u64 *wide = wide_reg(e, off & ~7u);
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
			edu_regs__raise_irq(e, IRQ_FACTORIAL);
		break;
	case REG_STATUS:
		e->status = val & STATUS_IRQ;
		break;
	case REG_IRQ_RAISE:
		edu_regs__raise_irq(e, val);
		break;
	case REG_IRQ_ACK:
		e->irq_status &= ~val;
		break;
	case REG_X_TAG:
		e->tag = val & (EDU_TAG_PASID | EDU_TAG_EXEC | EDU_TAG_PRIV | EDU_TAG_VALID);
		break;
	case REG_X_VECTOR:
		e->vector = val % EDU_VECTORS;
		break;
	case REG_X_MODE:
		e->mode = val & (EDU_MODE_ATS | EDU_MODE_PRI | EDU_MODE_FORGED);
		break;
	case REG_TLB_FLUSH:
		edu_tlb__flush(e);
		break;
	case REG_PRI_SEND:
		page_request(e, val);
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

void edu_regs__access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write)
{
	struct edu *e = f->priv;

	if (!write)
		memset(data, 0xff, len);
	if (bar != BAR_REGS)
		return;
	if (off + len <= REGS_END) {
		regs_access(e, off, data, len, write);
	} else if (off >= EDU_BUF_BASE && off + len <= EDU_BUF_BASE + EDU_BUF_SIZE) {
		if (write)
			memcpy(e->buf + (off - EDU_BUF_BASE), data, len);
		else
			memcpy(data, e->buf + (off - EDU_BUF_BASE), len);
	}
}
