/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * MSI-X (PCIe 6.1.4, 7.7.2): the table and the pending bits, each entry backed by an irq_route.
 *
 * A vector is live while MSI-X is enabled, neither the function nor the vector is masked, and the
 * function may master the bus: then its route carries the message.  Otherwise the route is masked
 * and an event stays in its eventfd, which is exactly a pending bit.
 */

#include <errno.h>
#include <stdlib.h>

#include "x86/pci_priv.h"

#define ENTRY_WORDS (PCI_MSIX_ENTRY_SIZE / 4)
#define ENTRY_CTRL  (PCI_MSIX_ENTRY_VECTOR_CTRL / 4)

struct msix_vector {
	u32 word[ENTRY_WORDS]; /* address, upper address, data, vector control */
	struct irq_route *route;
	bool live;
	struct msi_msg msg; /* what the live route carries */
};

struct pci_msix {
	unsigned int nvec;
	u32 cap;
	int table_bar, pba_bar;
	u64 table, pba; /* offsets; 32 bits, but their ends need not be */
	u32 table_len, pba_len;
	bool enabled, masked, master; /* as last seen in the configuration space */
	void (*on_change)(struct pci_func *f);
	struct msix_vector vec[];
};

static bool fits(const struct pci_func *f, int bar, u32 off, u32 len)
{
	return bar < PCI_BARS && f->bar[bar].size && off < f->bar[bar].size &&
	       len <= f->bar[bar].size - off;
}

static void mask_all(struct pci_msix *m)
{
	unsigned int i;

	for (i = 0; i < m->nvec; i++) {
		memset(m->vec[i].word, 0, sizeof(m->vec[i].word));
		m->vec[i].word[ENTRY_CTRL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
}

int pci__adopt_msix(struct pci_func *f, u32 cap_off)
{
	u32 table, pba, nvec;
	struct pci_msix *m;

	if (f->msix || cap_off < PCI_STD_HEADER_SIZEOF || cap_off > 0x100 - PCI_CAP_MSIX_SIZEOF)
		return -EINVAL;
	nvec = (pci_get16(f->cfg, cap_off + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
	table = pci_get32(f->cfg, cap_off + PCI_MSIX_TABLE);
	pba = pci_get32(f->cfg, cap_off + PCI_MSIX_PBA);

	m = calloc(1, sizeof(*m) + nvec * sizeof(m->vec[0]));
	if (!m)
		return -ENOMEM;
	m->nvec = nvec;
	m->cap = cap_off;
	m->table_bar = table & PCI_MSIX_TABLE_BIR;
	m->table = table & PCI_MSIX_TABLE_OFFSET;
	m->table_len = nvec * PCI_MSIX_ENTRY_SIZE;
	m->pba_bar = pba & PCI_MSIX_PBA_BIR;
	m->pba = pba & PCI_MSIX_PBA_OFFSET;
	m->pba_len = ALIGN_UP(nvec, 64) / 8;
	if (!fits(f, m->table_bar, m->table, m->table_len) ||
	    !fits(f, m->pba_bar, m->pba, m->pba_len) ||
	    (m->table_bar == m->pba_bar &&
	     pci_touches(m->table, m->table_len, m->pba, m->pba_len))) {
		free(m);
		return -EINVAL;
	}
	mask_all(m);
	pci_put16(f->cfg, cap_off + PCI_MSIX_FLAGS, nvec - 1);
	pci_put16(f->wmask, cap_off + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	f->msix = m;
	return 0;
}

int pci__add_msix(struct pci_func *f, int bar, unsigned int nvec, u32 table, u32 pba)
{
	u8 body[PCI_CAP_MSIX_SIZEOF - 2];
	int cap;

	if (nvec < 1 || nvec > 2048 || bar < 0 || bar >= PCI_BARS || !IS_ALIGNED(table, 8) ||
	    !IS_ALIGNED(pba, 8))
		return -EINVAL;
	pci_put16(body, PCI_MSIX_FLAGS - 2, nvec - 1);
	pci_put32(body, PCI_MSIX_TABLE - 2, table | bar);
	pci_put32(body, PCI_MSIX_PBA - 2, pba | bar);
	cap = pci__add_cap(f, PCI_CAP_ID_MSIX, body, PCI_CAP_MSIX_SIZEOF);
	if (cap < 0)
		return cap;
	return pci__adopt_msix(f, cap);
}

void pci__msix_on_change(struct pci_func *f, void (*fn)(struct pci_func *f))
{
	if (f->msix)
		f->msix->on_change = fn;
}

int msix__attach(struct pci_func *f)
{
	struct pci_msix *m = f->msix;
	unsigned int i;

	if (!m)
		return 0;
	for (i = 0; i < m->nvec; i++) {
		m->vec[i].route = irq__route_new(f->vm->irq, f->bdf);
		if (!m->vec[i].route) {
			int err = errno ? -errno : -ENOMEM;

			pr_err("%s: cannot create interrupt vector %u of %u: %s; raise the limit "
			       "of open files (ulimit -n)",
			       f->name, i, m->nvec, strerror(-err));
			msix__detach(f);
			return err;
		}
	}
	return 0;
}

void msix__detach(struct pci_func *f)
{
	struct pci_msix *m = f->msix;
	unsigned int i;

	for (i = 0; m && i < m->nvec; i++) {
		if (m->vec[i].route)
			irq__route_free(m->vec[i].route);
		m->vec[i].route = NULL;
		m->vec[i].live = false;
	}
}

void msix__free(struct pci_func *f)
{
	msix__detach(f);
	free(f->msix);
	f->msix = NULL;
}

static void route(struct pci_msix *m, struct msix_vector *v)
{
	struct msi_msg msg = {
		.addr = (u64)v->word[1] << 32 | v->word[0],
		.data = v->word[2],
	};
	bool live = m->enabled && !m->masked && m->master &&
		    !(v->word[ENTRY_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);

	if (!v->route)
		return;
	if (live == v->live && (!live || (msg.addr == v->msg.addr && msg.data == v->msg.data)))
		return;
	v->live = live;
	v->msg = msg;
	/* What failed has been said.  A message that KVM does not take is the guest's doing, and silent. */
	irq__route_set(v->route, live ? &msg : NULL);
}

void msix__update(struct pci_func *f)
{
	struct pci_msix *m = f->msix;
	bool enabled, masked, master, changed, off;
	unsigned int i;
	u16 flags;

	if (!m)
		return;
	flags = pci_get16(f->cfg, m->cap + PCI_MSIX_FLAGS);
	enabled = flags & PCI_MSIX_FLAGS_ENABLE;
	masked = flags & PCI_MSIX_FLAGS_MASKALL;
	master = pci__bus_master(f);
	changed = enabled != m->enabled || masked != m->masked;
	if (!changed && master == m->master)
		return;
	off = m->enabled && !enabled;
	WRITE_ONCE(m->enabled, enabled);
	m->masked = masked;
	m->master = master;
	for (i = 0; i < m->nvec; i++)
		route(m, &m->vec[i]);
	if (changed && m->on_change)
		m->on_change(f);
	/* What was pending is gone once the function does not use MSI-X any more, nor does its device. */
	for (i = 0; off && i < m->nvec; i++)
		if (m->vec[i].route)
			irq__route_clear(m->vec[i].route);
}

void msix__reset(struct pci_func *f)
{
	struct pci_msix *m = f->msix;
	unsigned int i;

	if (!m)
		return;
	mask_all(m);
	msix__update(f);
	for (i = 0; i < m->nvec; i++) {
		route(m, &m->vec[i]);
		if (m->vec[i].route)
			irq__route_clear(m->vec[i].route);
	}
}

/* Any bytes of the table; the architecture only asks for aligned 4 and 8 (PCIe 6.1.4.2). */
static void table_access(struct pci_msix *m, u32 off, u8 *data, u32 len, bool write)
{
	u32 i, at, shift, *word;

	for (i = 0; i < len; i++) {
		at = off + i;
		word = &m->vec[at / PCI_MSIX_ENTRY_SIZE].word[at / 4 % ENTRY_WORDS];
		shift = at % 4 * 8;
		if (write)
			*word = (*word & ~(0xffu << shift)) | (u32)data[i] << shift;
		else
			data[i] = *word >> shift;
	}
	if (!write)
		return;
	for (i = off / PCI_MSIX_ENTRY_SIZE; i <= (off + len - 1) / PCI_MSIX_ENTRY_SIZE; i++) {
		m->vec[i].word[0] &= ~3u;
		m->vec[i].word[ENTRY_CTRL] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
		route(m, &m->vec[i]);
	}
}

static void pba_read(const struct pci_msix *m, u32 off, u8 *data, u32 len)
{
	u32 i, bit, vec;

	for (i = 0; i < len; i++) {
		data[i] = 0;
		for (bit = 0; bit < 8; bit++) {
			vec = (off + i) * 8 + bit;
			if (vec < m->nvec && m->vec[vec].route &&
			    irq__route_pending(m->vec[vec].route))
				data[i] |= 1u << bit;
		}
	}
}

bool msix__access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write)
{
	struct pci_msix *m = f->msix;

	if (!m)
		return false;
	if (bar == m->table_bar && off < m->table + m->table_len && off + len > m->table) {
		/* An access across the edge of the table is dropped, as the bus does at its own. */
		if (off >= m->table && off + len <= m->table + m->table_len)
			table_access(m, off - m->table, data, len, write);
		return true;
	}
	if (bar == m->pba_bar && off < m->pba + m->pba_len && off + len > m->pba) {
		if (!write && off >= m->pba && off + len <= m->pba + m->pba_len)
			pba_read(m, off - m->pba, data, len);
		return true;
	}
	return false;
}

void pci__msix_fire(struct pci_func *f, unsigned int vec)
{
	struct pci_msix *m = f->msix;

	/* From any thread: nothing but the enable bit changes while the guest runs. */
	if (m && vec < m->nvec && m->vec[vec].route && READ_ONCE(m->enabled))
		irq__fire(m->vec[vec].route);
}

int pci__msix_fd(const struct pci_func *f, unsigned int vec)
{
	const struct pci_msix *m = f->msix;

	if (!m || vec >= m->nvec || !m->vec[vec].route)
		return -EINVAL;
	return irq__route_fd(m->vec[vec].route);
}

bool pci__msix_enabled(const struct pci_func *f)
{
	return f->msix && f->msix->enabled;
}
