/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * vfio/config.c under the real pci_cfg.c: which of a device's configuration space a guest sees, and
 * which of its writes reach the device.
 */

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "tests/unit/vfio_fake.h"

static ssize_t fake_pread(int fd, void *buf, size_t len, off_t off);
static ssize_t fake_pwrite(int fd, const void *buf, size_t len, off_t off);
#define pread  fake_pread
#define pwrite fake_pwrite
#include "vfio/config.c"
#undef pread
#undef pwrite
#include "x86/pci_cfg.c"

#define REGION (7ULL << 40)
#define DEV_FD 33

/* --- the device, and the rest of the PCI root --- */

static u8 host[PCI_CFG_SIZE];
static u64 host_size;
static bool host_dead;
static struct {
	u32 off, len, val;
} wrote[16];
static unsigned int nwrote, resets, bad_access;

static ssize_t fake_pread(int fd, void *buf, size_t len, off_t off)
{
	if (host_dead) {
		errno = EIO;
		return -1;
	}
	off -= REGION;
	if (fd != DEV_FD || off < 0 || (u64)off + len > host_size || len > 4)
		bad_access++;
	else
		memcpy(buf, host + off, len);
	return len;
}

static ssize_t fake_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (host_dead) {
		errno = EIO;
		return -1;
	}
	off -= REGION;
	if (fd != DEV_FD || off < 0 || (u64)off + len > host_size || len > 4 || nwrote == 16) {
		bad_access++;
		return len;
	}
	wrote[nwrote].off = off;
	wrote[nwrote].len = len;
	wrote[nwrote].val = 0;
	memcpy(&wrote[nwrote++].val, buf, len);
	memcpy(host + off, buf, len);
	return len;
}

int cdev__region(int fd, u32 index, struct vfio_region *region)
{
	*region = (struct vfio_region){ .size = host_size, .off = REGION, .read = true };
	return index == VFIO_PCI_CONFIG_REGION_INDEX ? 0 : -EINVAL;
}

void pci_bar__update(struct pci_root *root)
{
}

void msix__update(struct pci_func *f)
{
}

void msix__reset(struct pci_func *f)
{
}

static void dev_reset(struct pci_func *f)
{
	resets++;
	vfio_config__sync(f->priv);
}

static const struct pci_func_ops ops = {
	.cfg_read = vfio_config__read,
	.cfg_written = vfio_config__written,
	.reset = dev_reset,
};
static struct pci_slot slot;
static struct vfio_dev dev;

/* --- a device with a bit of everything --- */

static void put_cap(u32 off, u8 id, u8 next)
{
	host[off] = id;
	host[off + 1] = next;
}

static void make_host(void)
{
	memset(host, 0, sizeof(host));
	host_size = PCI_CFG_SIZE;
	host_dead = false;
	nwrote = bad_access = resets = 0;
	put32(host, PCI_VENDOR_ID, 0x10411af4);
	put32(host, PCI_COMMAND, 0xf9100007); /* stale error bits, all decoders on */
	put32(host, PCI_CLASS_REVISION, 0x02000001);
	host[PCI_HEADER_TYPE] = 0x80;
	put32(host, PCI_BASE_ADDRESS_0, 0xfebf0004);
	put32(host, PCI_SUBSYSTEM_VENDOR_ID, 0x11001af4);
	put32(host, PCI_ROM_ADDRESS, 0xfeb00001);
	host[PCI_INTERRUPT_PIN] = 1;
	host[PCI_CAPABILITY_LIST] = 0x40;
	put_cap(0x40, PCI_CAP_ID_PM, 0x50);
	put16(host, 0x42, 0xf803); /* PME from every state */
	put16(host, 0x44, 0x8103); /* D3hot, PME enabled and pending */
	put_cap(0x50, PCI_CAP_ID_MSI, 0x60);
	put32(host, 0x54, 0xfee00000);
	put_cap(0x60, PCI_CAP_ID_EXP, 0xa0);
	put16(host, 0x62, 0x0102); /* endpoint, version 2, with a slot */
	put32(host, 0x64, 0x10008fc2 | PCI_EXP_DEVCAP_PHANTOM);
	put16(host, 0x68, 0x2936);
	put16(host, 0x6a, 0x000f);
	put32(host, 0x6c, 0x00477d03);
	put16(host, 0x72, 0x1043);
	put32(host, 0x84, 0x001a);
	put_cap(0xa0, PCI_CAP_ID_MSIX, 0xb0);
	put16(host, 0xa2, 0xc003); /* 4 vectors, enabled and masked */
	put32(host, 0xa4, 0x2000);
	put32(host, 0xa8, 0x3000);
	put_cap(0xb0, PCI_CAP_ID_VPD, 0xc0);
	put_cap(0xc0, PCI_CAP_ID_VNDR, 0xe0);
	host[0xc2] = 0x14;
	put32(host, 0xc4, 0x11223344);
	put_cap(0xe0, PCI_CAP_ID_VNDR, 0);
	host[0xe2] = 0x10;
	put32(host, 0x100, PCI_EXT_CAP_ID_ERR | 1 << 16 | 0x150u << 20);
	put32(host, 0x150, PCI_EXT_CAP_ID_DSN | 1 << 16 | 0x160u << 20);
	put32(host, 0x154, 0xdeadbeef);
	put32(host, 0x158, 0xcafef00d);
	put32(host, 0x160, PCI_EXT_CAP_ID_PASID | 1 << 16);
}

static int make_dev(bool can_reset)
{
	int err;

	memset(&dev, 0, sizeof(dev));
	strcpy(dev.name, "vfio test");
	dev.fd = DEV_FD;
	dev.can_reset = can_reset;
	dev.pci.name = dev.name;
	dev.pci.ops = &ops;
	dev.pci.priv = &dev;
	dev.pci.root_priv = &slot;
	err = vfio_config__init(&dev);
	/* what bar.c and pci__add() do */
	memset(dev.pci.cfg + PCI_BASE_ADDRESS_0, 0, 24);
	dev.pci.pcie_cap = dev.exp_cap;
	memcpy(dev.pci.initial, dev.pci.cfg, PCI_CFG_SIZE);
	return err;
}

static u32 rd(u32 off, u32 len)
{
	return pci_cfg__read(&dev.pci, off, len);
}

static void wr(u32 off, u32 len, u32 val)
{
	nwrote = 0;
	pci_cfg__write(&dev.pci, off, len, val);
}

static void test_header(void)
{
	make_host();
	eq(make_dev(true), 0, "a device's configuration space");
	eq(rd(PCI_VENDOR_ID, 4), 0x10411af4, "ids");
	eq(rd(PCI_CLASS_REVISION, 4), 0x02000001, "class and revision");
	eq(rd(PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4, "subsystem");
	eq(rd(PCI_HEADER_TYPE, 1), 0, "one function");
	eq(rd(PCI_INTERRUPT_PIN, 1), 0, "no INTx");
	eq(rd(PCI_ROM_ADDRESS, 4), 0, "no ROM");
	eq(rd(PCI_COMMAND, 2), 0, "everything off at first");
	eq(rd(PCI_STATUS, 2), PCI_STATUS_CAP_LIST, "no stale errors");
	eq(host[PCI_COMMAND] | host[PCI_COMMAND + 1] << 8,
	   PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE, "the device: decoding, no DMA, no INTx");
	eq(bad_access, 0, "read as registers");
}

static void test_caps(void)
{
	static const u8 want[] = { 0x40, 0x60, 0xa0, 0xc0, 0xe0 };
	u32 off = rd(PCI_CAPABILITY_LIST, 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		eq(off, want[i], "capability %u where the device has it", i);
		off = rd(off + 1, 1);
	}
	eq(off, 0, "the list ends");
	eq(rd(0x50, 4) | rd(0x54, 4), 0, "MSI's bytes are not there");
	eq(rd(0xb0, 4), 0, "nor VPD's");
	eq(rd(0x42, 2), 0x0003, "PM without PME");
	eq(rd(0x44, 2), PCI_PM_CTRL_NO_SOFT_RESET, "in D0, which loses nothing");
	eq(rd(0x62, 2), 0x0092, "an integrated endpoint without slot");
	eq(rd(0x64, 4), 0x10008fc2, "no phantom functions");
	eq(rd(0x68, 2), 0x2936, "Device Control as the host left it");
	eq(rd(0x6c, 4) | rd(0x70, 4), 0, "no link");
	eq(rd(0x84, 4), 0x1a, "Device Capabilities 2");
	eq(rd(0xa2, 2), 0x0003, "MSI-X off, with its size");
	eq(dev.msix_cap, 0xa0, "MSI-X is found");
	eq(rd(0x100, 4), PCI_EXT_CAP_ID_DSN | 1 << 16, "the serial number first and last");
	eq(rd(0x104, 4), 0xdeadbeef, "its low half");
	eq(rd(0x108, 4), 0xcafef00d, "its high half");
	eq(rd(0x150, 4) | rd(0x160, 4), 0, "no other extended capability");
}

static void test_command(void)
{
	wr(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_IO);
	eq(rd(PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, "no I/O decoding");
	eq(nwrote, 1, "one write");
	ok(wrote[0].off == PCI_COMMAND && wrote[0].len == 2, "of the command register");
	eq(wrote[0].val, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE,
	   "the device may master the bus");
	wr(PCI_COMMAND, 1, 0);
	eq(rd(PCI_COMMAND, 2), 0, "all off for the guest");
	eq(wrote[0].val, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE,
	   "the device still decodes: its mappings depend on that");
	wr(PCI_COMMAND + 1, 1, 0);
	eq(wrote[0].val, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE, "and never raises INTx");
	wr(PCI_COMMAND, 1, PCI_COMMAND_MASTER);
	nwrote = 0;
	vfio_config__intx_off(&dev);
	ok(nwrote == 2 && wrote[0].off == PCI_COMMAND && wrote[1].off == PCI_COMMAND &&
	       wrote[0].val == (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER) &&
	       wrote[1].val == (wrote[0].val | PCI_COMMAND_INTX_DISABLE),
	   "INTx, switched on behind VFIO, is off again by a change of the bit");
	wr(PCI_COMMAND, 1, 0);
	put16(host, PCI_STATUS, 0xf918);
	eq(rd(PCI_STATUS, 2), PCI_STATUS_CAP_LIST, "status is the copy's");
}

static void test_power(void)
{
	wr(0x44, 2, 3);
	eq(rd(0x44, 2), 3 | PCI_PM_CTRL_NO_SOFT_RESET, "the guest sees D3");
	eq(nwrote, 0, "the device does not sleep");
	wr(0x44, 4, 0xffffff00);
	eq(rd(0x44, 4), PCI_PM_CTRL_NO_SOFT_RESET, "nothing else is writeable");
}

static void test_devctl(void)
{
	wr(0x68, 2, 0x500f);
	eq(rd(0x68, 2), 0x5000 | 0x010f | (0x2936 & 0x0600) | (0x2936 & 0x0100),
	   "the guest's Device Control");
	eq(nwrote, 1, "is one write");
	eq(wrote[0].val, (0x2936 & ~0x7810) | 0x5000,
	   "of MRRS and ordering; error reporting and tags stay the host's");
	put16(host, 0x6a, 0x002f);
	eq(rd(0x6a, 2), 0x0020, "Transactions Pending is the device's, errors are not shown");
	wr(0x69, 1, 0x80);
	eq(resets, 1, "FLR resets");
	eq(rd(0x68, 2), 0x2936, "and everything is as it was");
	eq(nwrote, 2, "the device's registers, too");
	eq(wrote[1].val, 0x2936, "Device Control among them");
	make_host();
	eq(make_dev(false), 0, "a device that cannot be reset");
	eq(rd(0x64, 4) & PCI_EXP_DEVCAP_FLR, 0, "has no FLR");
	wr(0x68, 2, 0x8000);
	eq(resets, 0, "and does none");
	eq(wrote[0].val & 0x8000, 0, "nor is the device told");
}

static void test_vendor(void)
{
	make_host();
	make_dev(true);
	eq(rd(0xc4, 4), 0x11223344, "a vendor capability's data");
	put32(host, 0xc4, 0x55667788);
	eq(rd(0xc4, 4), 0x55667788, "is the device's at any time");
	eq(rd(0xc5, 2), 0x6677, "in any width");
	put32(host, 0xc0, 0xaa14ff09);
	eq(rd(0xc0, 4), 0xaa14e009, "while its header is ours");
	wr(0xc8, 4, 0x01020304);
	ok(nwrote == 1 && wrote[0].off == 0xc8 && wrote[0].len == 4 && wrote[0].val == 0x01020304,
	   "a write reaches it, as wide as it was");
	wr(0xca, 1, 0x77);
	ok(nwrote == 1 && wrote[0].off == 0xca && wrote[0].len == 1 && wrote[0].val == 0x77,
	   "a byte as a byte");
	wr(0xc0, 4, 0xbbccddee);
	ok(nwrote == 1 && wrote[0].off == 0xc3 && wrote[0].len == 1 && wrote[0].val == 0xbb,
	   "of the header only what is behind the length");
	wr(0xd4, 4, ~0u);
	eq(nwrote, 0, "behind its end nothing");
	wr(0xa4, 4, ~0u);
	eq(nwrote, 0, "and MSI-X is not the device's");
	eq(rd(0xa4, 4), 0x2000, "nor to be moved");
	host_dead = true;
	fake_lines = 0;
	wr(0xc8, 4, 1);
	eq(fake_lines, 1, "a device that refuses is told of");
	rd(0xc4, 4);
	host_dead = false;
}

/* Every width everywhere: nothing but known registers is written, and no sanitizer complains. */
static void test_hostile(void)
{
	u32 off, len, i;
	bool good = true;

	make_host();
	make_dev(true);
	for (off = 0; off < PCI_CFG_SIZE; off++) {
		for (len = 1; len <= 4 - (off & 3); len++) {
			rd(off, len);
			wr(off, len, 0xffffffff);
			for (i = 0; i < nwrote; i++) {
				u32 at = wrote[i].off;

				good &= at == PCI_COMMAND || at == 0x68 ||
					(at >= 0xc3 && at < 0xd4) || (at >= 0xe3 && at < 0xf0);
				good &= at != 0x68 || !(wrote[i].val & 0x8000);
			}
		}
	}
	ok(good, "writes reach only what they should");
	eq(bad_access, 0, "inside the device's configuration space");
}

static void test_broken(void)
{
	make_host();
	host[0xe1] = 0x60;
	eq(make_dev(true), 0, "a capability list that loops");
	eq(rd(0xe1, 1), 0, "ends where it would");
	make_host();
	host[0xc2] = 0xff;
	eq(make_dev(true), 0, "a vendor capability longer than the space");
	eq(rd(0xa1, 1), 0, "is left out");
	make_host();
	host[0xc2] = 0;
	eq(make_dev(true), 0, "one shorter than its header");
	wr(0xc4, 4, 1);
	eq(nwrote, 0, "has no data");
	make_host();
	host[0x41] = 0xfc;
	put_cap(0xfc, PCI_CAP_ID_EXP, 0);
	eq(make_dev(true), 0, "PCIe at the end of the space");
	eq(dev.exp_cap, 0, "is none");
	make_host();
	host[PCI_STATUS] = 0;
	eq(make_dev(true), 0, "no capabilities");
	eq(rd(PCI_CAPABILITY_LIST, 1), 0, "are shown as none");
	make_host();
	put32(host, 0x100, PCI_EXT_CAP_ID_ERR | 1 << 16 | 0x100u << 20);
	eq(make_dev(true), 0, "an extended list that loops");
	eq(rd(0x100, 4), 0, "is none");
	make_host();
	put32(host, 0x100, PCI_EXT_CAP_ID_ERR | 1 << 16 | 0xffcu << 20);
	eq(make_dev(true), 0, "an extended list that leaves the space ends");
	make_host();
	host_size = 256;
	eq(make_dev(true), 0, "a conventional device");
	eq(rd(0x100, 4), 0, "has no extended space");
	eq(bad_access, 0, "and none is read");
	make_host();
	host[PCI_HEADER_TYPE] = 1;
	ok(make_dev(true) == -EINVAL && fake_has("bridge"), "a bridge is refused");
	make_host();
	host_dead = true;
	ok(make_dev(true) == -EIO && fake_has("cannot read"), "a dead device, too");
}

int main(void)
{
	test_header();
	test_caps();
	test_command();
	test_power();
	test_devctl();
	test_vendor();
	test_hostile();
	test_broken();
	return tap_done();
}
