/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The configuration space of an assigned function.
 *
 * The guest's copy is built once, from nothing, of what is known to be safe and useful; offsets are
 * the device's own, since drivers know them by heart.  Afterwards it lives in pci_func.cfg like
 * that of an emulated device, and only three things go through to the hardware: bus mastering, the
 * fields of Device Control that are the driver's business, and vendor-specific capabilities.
 *
 * Two registers stay ours although vfio-pci would let them through.  With memory decoding off or in
 * D3hot it takes away the mappings of the BARs, and a vCPU that touches one then ends KVM_RUN with
 * an error.  So the hardware decodes always and sleeps never; the guest sees what it wrote.
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>

#include "vfio/device.h"
#include "vfio/sys.h"

#define CFG_STD	  256u
#define CAP_FIRST 0x40u
#define EXT_FIRST 0x100u
#define VNDR_LEN  2 /* a vendor capability's length byte */
#define VNDR_DATA 3u
/* Up to Device Status 2; what lies behind it an integrated endpoint does not have (PCIe 7.5.3). */
#define EXP_V1_LEN 0x0cu
#define EXP_V2_LEN 0x2cu

/* What Device Control bits of the guest reach the device; vfio-pci keeps MRRS above MPS. */
#define DEVCTL_THROUGH (PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ)
/* What the guest can write there: error reporting and payload are between it and our copy. */
#define DEVCTL_WRITABLE                                                                            \
	(DEVCTL_THROUGH | PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |       \
	 PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_PAYLOAD)

static u16 get16(const u8 *p, u32 off)
{
	u16 v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

static u32 get32(const u8 *p, u32 off)
{
	u32 v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

static void put16(u8 *p, u32 off, u16 v)
{
	memcpy(p + off, &v, sizeof(v));
}

static void put32(u8 *p, u32 off, u32 v)
{
	memcpy(p + off, &v, sizeof(v));
}

static bool touches(u32 off, u32 len, u32 reg, u32 size)
{
	return off < reg + size && reg < off + len;
}

static void copy(struct vfio_dev *d, const u8 *host, u32 off, u32 len)
{
	memcpy(d->pci.cfg + off, host + off, len);
}

static void build_header(struct vfio_dev *d, const u8 *host)
{
	u8 *wmask = d->pci.wmask;

	copy(d, host, PCI_VENDOR_ID, 4);
	copy(d, host, PCI_CLASS_REVISION, 4);
	copy(d, host, PCI_SUBSYSTEM_VENDOR_ID, 4);
	/* One function, type 0; no INTx (pin 0), no ROM; BARs are bar.c's. */
	put16(wmask, PCI_COMMAND,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
		  PCI_COMMAND_INTX_DISABLE);
	wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	wmask[PCI_INTERRUPT_LINE] = 0xff;
}

/* PCIe 7.5.3: on bus 0, as a root-complex integrated endpoint, so without link and slot. */
static void keep_exp(struct vfio_dev *d, const u8 *host, u32 off, u32 len)
{
	u16 flags = get16(host, off + PCI_EXP_FLAGS);
	u8 *cfg = d->pci.cfg;
	u32 devcap;

	put16(cfg, off + PCI_EXP_FLAGS, (flags & PCI_EXP_FLAGS_VERS) | PCI_EXP_TYPE_RC_END << 4);
	/* Without a way to reset the device there is no FLR to offer; with one, FLR is that. */
	devcap = get32(host, off + PCI_EXP_DEVCAP) & ~(PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_PHANTOM);
	if (d->can_reset)
		devcap |= PCI_EXP_DEVCAP_FLR;
	put32(cfg, off + PCI_EXP_DEVCAP, devcap);
	put16(d->pci.wmask, off + PCI_EXP_DEVCTL, DEVCTL_WRITABLE);
	/* A driver polls Transactions Pending; error bits it could never clear stay zero. */
	put16(cfg, off + PCI_EXP_DEVSTA, 0);
	d->from_dev[off + PCI_EXP_DEVSTA] = PCI_EXP_DEVSTA_TRPND;
	if (len == EXP_V2_LEN)
		memset(cfg + off + PCI_EXP_LNKCAP, 0, PCI_EXP_DEVCAP2 - PCI_EXP_LNKCAP);
	d->devctl = get16(host, off + PCI_EXP_DEVCTL);
	d->exp_cap = off;
}

/* PCI PM 3.2: the power state is virtual, and leaving it never loses anything. */
static void keep_pm(struct vfio_dev *d, u32 off)
{
	u8 *cfg = d->pci.cfg;

	put16(cfg, off + PCI_PM_PMC, get16(cfg, off + PCI_PM_PMC) & ~PCI_PM_CAP_PME_MASK);
	put32(cfg, off + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	put16(d->pci.wmask, off + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
}

static void keep_msix(struct vfio_dev *d, u32 off)
{
	u8 *cfg = d->pci.cfg;

	put16(cfg, off + PCI_MSIX_FLAGS, get16(cfg, off + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE);
	d->msix_cap = off;
}

/* Nobody but the device knows what is in there (virtio 4.1.4.9 has a window into BARs). */
static void keep_vendor(struct vfio_dev *d, u32 off, u32 len)
{
	u32 i;

	for (i = off + VNDR_DATA; i < off + len; i++) {
		d->from_dev[i] = 0xff;
		d->to_dev[i] = true;
		d->pci.wmask[i] = 0xff;
	}
}

/* How long the capability at @off is; 0: not one that is shown. */
static u32 cap_len(const struct vfio_dev *d, const u8 *host, u32 off)
{
	switch (host[off]) {
	case PCI_CAP_ID_EXP:
		if (d->exp_cap)
			return 0;
		return (host[off + PCI_EXP_FLAGS] & PCI_EXP_FLAGS_VERS) < 2 ? EXP_V1_LEN
									    : EXP_V2_LEN;
	case PCI_CAP_ID_PM:
		return PCI_PM_SIZEOF;
	case PCI_CAP_ID_MSIX:
		return d->msix_cap ? 0 : PCI_CAP_MSIX_SIZEOF;
	case PCI_CAP_ID_VNDR:
		return MAX(host[off + VNDR_LEN], VNDR_DATA);
	default:
		return 0;
	}
}

static void keep_cap(struct vfio_dev *d, const u8 *host, u32 off, u32 len)
{
	copy(d, host, off, len);
	switch (host[off]) {
	case PCI_CAP_ID_EXP:
		return keep_exp(d, host, off, len);
	case PCI_CAP_ID_PM:
		return keep_pm(d, off);
	case PCI_CAP_ID_MSIX:
		return keep_msix(d, off);
	case PCI_CAP_ID_VNDR:
		return keep_vendor(d, off, len);
	}
}

/* Each byte belongs to one capability. */
static bool claim(bool used[CFG_STD], u32 off, u32 len)
{
	u32 i;

	if (len > CFG_STD - off)
		return false;
	for (i = off; i < off + len; i++)
		if (used[i])
			return false;
	memset(used + off, true, len);
	return true;
}

static void build_caps(struct vfio_dev *d, const u8 *host)
{
	bool used[CFG_STD] = { false };
	u32 off, len, last = PCI_CAPABILITY_LIST;
	u8 *cfg = d->pci.cfg;

	if (!(get16(host, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return;
	for (off = host[PCI_CAPABILITY_LIST] & ~3u; off >= CAP_FIRST;
	     off = host[off + PCI_CAP_LIST_NEXT] & ~3u) {
		len = cap_len(d, host, off);
		/* A list that loops or overlaps ends here; of what is hidden the header counts. */
		if (!claim(used, off, MAX(len, 2)))
			break;
		if (!len)
			continue;
		keep_cap(d, host, off, len);
		cfg[off + PCI_CAP_LIST_NEXT] = 0;
		cfg[last] = off;
		last = off + PCI_CAP_LIST_NEXT;
		cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	}
}

/*
 * PCIe 7.9.3: of the extended capabilities only the serial number is kept, moved to 100h where the
 * list begins.  PASID, ATS and PRI are not offered yet; the rest is the host's business.
 */
static void build_ext_caps(struct vfio_dev *d, const u8 *host, u32 size)
{
	u32 off, hdr, hops;

	for (off = EXT_FIRST, hops = 0; off >= EXT_FIRST && hops < 960; hops++) {
		if (off > size || size - off < PCI_EXT_CAP_DSN_SIZEOF)
			return;
		hdr = get32(host, off);
		if (!hdr || hdr == ~0u)
			return;
		if (PCI_EXT_CAP_ID(hdr) == PCI_EXT_CAP_ID_DSN) {
			put32(d->pci.cfg, EXT_FIRST, hdr & GENMASK(19, 0));
			memcpy(d->pci.cfg + EXT_FIRST + 4, host + off + 4,
			       PCI_EXT_CAP_DSN_SIZEOF - 4);
			return;
		}
		off = PCI_EXT_CAP_NEXT(hdr);
	}
}

static void put_dev16(struct vfio_dev *d, u32 off, u16 val)
{
	static struct ratelimit rl;
	int err = sys_pwrite(d->fd, &val, sizeof(val), d->config.off + off);

	if (err)
		pr_guest(&rl, "%s: writing its configuration space at %#x: %s", d->name, off,
			 strerror(-err));
}

static void put_command(struct vfio_dev *d, u16 intx)
{
	u16 cmd = PCI_COMMAND_MEMORY | intx;

	if (pci__bus_master(&d->pci))
		cmd |= PCI_COMMAND_MASTER;
	put_dev16(d, PCI_COMMAND, cmd);
}

static void sync_command(struct vfio_dev *d)
{
	/* INTx off: nobody would handle it, and it may be shared with a device of the host. */
	put_command(d, PCI_COMMAND_INTX_DISABLE);
}

void vfio_config__intx_off(struct vfio_dev *d)
{
	/* VFIO's copy of the bit is still set, and only a change of it reaches the device. */
	put_command(d, 0);
	sync_command(d);
}

static void sync_devctl(struct vfio_dev *d)
{
	u32 off = d->exp_cap + PCI_EXP_DEVCTL;
	u16 guest = get16(d->pci.cfg, off);

	put_dev16(d, off, (d->devctl & ~DEVCTL_THROUGH) | (guest & DEVCTL_THROUGH));
}

void vfio_config__sync(struct vfio_dev *d)
{
	sync_command(d);
	if (d->exp_cap)
		sync_devctl(d);
}

int vfio_config__init(struct vfio_dev *d)
{
	u8 host[PCI_CFG_SIZE] = { 0 };
	u32 size, off;
	int err;

	err = cdev__region(d->fd, VFIO_PCI_CONFIG_REGION_INDEX, &d->config);
	if (!err && d->config.size < CFG_STD)
		err = -EINVAL;
	size = MIN(d->config.size, (u64)PCI_CFG_SIZE);
	/* Registers as registers: some devices count accesses wider than a dword among them. */
	for (off = 0; !err && off < size; off += 4)
		err = sys_pread(d->fd, host + off, 4, d->config.off + off);
	if (err) {
		pr_err("%s: cannot read its configuration space: %s", d->name, strerror(-err));
		return err;
	}
	if ((host[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL) {
		pr_err("%s: a bridge cannot be assigned; pass the functions behind it", d->name);
		return -EINVAL;
	}
	build_header(d, host);
	build_caps(d, host);
	build_ext_caps(d, host, size);
	/* bar.c needs to know what the device's BARs are like; pci__add_bar() overwrites this. */
	memcpy(d->pci.cfg + PCI_BASE_ADDRESS_0, host + PCI_BASE_ADDRESS_0, 4 * PCI_BARS);
	vfio_config__sync(d);
	return 0;
}

bool vfio_config__read(struct pci_func *f, u32 off, u32 len, u32 *val)
{
	struct vfio_dev *d = f->priv;
	u8 dev[4] = { 0 }, out[4] = { 0 }, mask, any = 0;
	u32 i;

	if (off >= CFG_STD || len > sizeof(dev) || len > CFG_STD - off)
		return false;
	for (i = 0; i < len; i++)
		any |= d->from_dev[off + i];
	if (!any || sys_pread(d->fd, dev, len, d->config.off + off))
		return false;
	for (i = 0; i < len; i++) {
		mask = d->from_dev[off + i];
		out[i] = (f->cfg[off + i] & ~mask) | (dev[i] & mask);
	}
	memcpy(val, out, sizeof(*val));
	return true;
}

/* The bytes of a write that are the device's, as wide as the guest wrote them. */
static void write_through(struct vfio_dev *d, u32 off, u32 len, u32 val)
{
	static struct ratelimit rl;
	u8 data[4];
	u32 i, n;
	int err;

	memcpy(data, &val, sizeof(data));
	for (i = 0; i < len; i += MAX(n, 1)) {
		for (n = 0; i + n < len && d->to_dev[off + i + n]; n++)
			;
		if (!n)
			continue;
		err = sys_pwrite(d->fd, data + i, n, d->config.off + off + i);
		if (err)
			pr_guest(&rl, "%s: writing its configuration space at %#x: %s", d->name,
				 off + i, strerror(-err));
	}
}

void vfio_config__written(struct pci_func *f, u32 off, u32 len, u32 val)
{
	struct vfio_dev *d = f->priv;

	if (off >= CFG_STD || len > 4 || len > CFG_STD - off)
		return;
	if (touches(off, len, PCI_COMMAND, 2))
		sync_command(d);
	if (d->exp_cap && touches(off, len, d->exp_cap + PCI_EXP_DEVCTL, 2))
		sync_devctl(d);
	write_through(d, off, len, val);
}
