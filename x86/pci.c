/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The PCIe root: which functions exist, and the ECAM through which their configuration space is
 * reached (PCIe 7.2.2).
 */

#include <errno.h>
#include <stdlib.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/module.h"
#include "x86/pci_priv.h"

/* "QEMU PCIe Host bridge" in pci.ids: the one id that means a host bridge and nothing more. */
#define HOST_VENDOR 0x1b36
#define HOST_DEVICE 0x0008
#define CLASS_HOST  0x060000

/* The function at @off of the ECAM; NULL: nobody is there. */
static struct pci_func *ecam_func(struct pci_root *root, u64 off)
{
	return FIELD(off, 27, 20) ? NULL : root->func[FIELD(off, 19, 12)];
}

/* Any width and alignment: an access becomes pieces that stay inside one dword each. */
static void ecam_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	struct pci_root *root = container_of(r, struct pci_root, ecam);
	struct pci_func *f;
	u32 piece, val;

	while (len) {
		piece = MIN(len, 4 - (u32)(off & 3));
		f = ecam_func(root, off);
		if (!f) {
			if (!write)
				memset(data, 0xff, piece);
		} else if (write) {
			val = 0;
			memcpy(&val, data, piece);
			pci_cfg__write(f, off & (PCI_CFG_SIZE - 1), piece, val);
		} else {
			val = pci_cfg__read(f, off & (PCI_CFG_SIZE - 1), piece);
			memcpy(data, &val, piece);
		}
		off += piece;
		data += piece;
		len -= piece;
	}
}

/*
 * The upper half of the address space is for the 64-bit window, as far as RAM leaves it.  Addresses
 * beyond 48 bits are not used: a 4-level EPT cannot map them.
 */
static int place_windows(struct pci_root *root)
{
	unsigned int i, n, bits = MIN(root->vm->phys_bits, 48u);
	const struct mem_region *ram = mem__regions(root->vm->mem, &n);
	u64 ram_end = 0, base, size;

	for (i = 0; i < n; i++)
		ram_end = MAX(ram_end, ram[i].gpa + ram[i].size);
	if (bits < 36) {
		pr_err("pci: the CPU has %u physical address bits, lkvm needs 36 or more",
		       root->vm->phys_bits);
		return -EINVAL;
	}
	base = BIT(bits - 1);
	size = BIT(bits - 2);
	if (ram_end > base)
		base += size;
	if (ram_end > base) {
		pr_err("pci: no address space is left for PCI above %llu GiB of RAM with %u "
		       "physical address bits; use less --mem",
		       ram_end / GiB, bits);
		return -EINVAL;
	}
	root->win = (struct pci_windows){
		.io = PCI_PORT_BASE,
		.io_size = PCI_PORT_SIZE,
		.mmio32 = PCI_MMIO_BASE,
		.mmio32_size = PCI_MMIO_SIZE,
		.mmio64 = base,
		.mmio64_size = size,
	};
	root->io = (struct pci_window){ PCI_PORT_BASE, PCI_PORT_BASE + PCI_PORT_SIZE };
	root->low = (struct pci_window){ PCI_MMIO_BASE, PCI_MMIO_BASE + PCI_MMIO_SIZE };
	root->high = (struct pci_window){ base, base + size };
	return 0;
}

/* Bus 0 needs a device that software recognises as the host bridge. */
static int add_host_bridge(struct pci_root *root)
{
	int err;

	root->host = calloc(1, sizeof(*root->host));
	if (!root->host) {
		pr_err("pci: out of memory");
		return -ENOMEM;
	}
	root->host->name = "host bridge";
	pci__init_func(root->host, HOST_VENDOR, HOST_DEVICE, CLASS_HOST, 0);
	err = pci__add(root, root->host, 0);
	if (err) {
		free(root->host);
		root->host = NULL;
	}
	return err;
}

struct pci_root *pci__new(struct vm *vm)
{
	struct pci_root *root = calloc(1, sizeof(*root));
	int err;

	if (!root) {
		pr_err("pci: out of memory");
		errno = ENOMEM;
		return NULL;
	}
	root->vm = vm;
	root->ecam = (struct bus_region){
		.base = ECAM_BASE,
		.size = ECAM_SIZE,
		.access = ecam_access,
		.name = "ecam",
	};
	err = place_windows(root);
	if (err)
		goto err_free;
	err = bus__add(vm->mmio, &root->ecam);
	if (err) {
		pr_err("pci: cannot place the ECAM at %#llx: %s", ECAM_BASE, strerror(-err));
		goto err_free;
	}
	err = add_host_bridge(root);
	if (err)
		goto err_ecam;
	return root;

err_ecam:
	bus__del(&root->ecam);
err_free:
	free(root);
	errno = -err;
	return NULL;
}

void pci__free(struct pci_root *root)
{
	if (!root)
		return;
	if (root->host)
		pci__del(root->host);
	free(root->host);
	bus__del(&root->ecam);
	free(root);
}

void pci__set_iommu(struct pci_root *root, const struct dma_ops *ops, void *iommu)
{
	root->dma_ops = ops;
	root->iommu = iommu;
}

/* Function 0 says whether software should look for more of its slot (PCIe 7.5.1.1.9). */
static void set_multifunction(struct pci_root *root, unsigned int devfn)
{
	struct pci_func **slot = &root->func[devfn & ~7u];
	u8 multi = 0;
	int i;

	for (i = 1; i < 8; i++)
		if (slot[i])
			multi = 0x80;
	if (!slot[0])
		return;
	slot[0]->cfg[PCI_HEADER_TYPE] = (slot[0]->cfg[PCI_HEADER_TYPE] & 0x7f) | multi;
	slot[0]->initial[PCI_HEADER_TYPE] = slot[0]->cfg[PCI_HEADER_TYPE];
}

static int free_devfn(const struct pci_root *root)
{
	unsigned int devfn;

	for (devfn = 0; devfn < PCI_DEVFNS; devfn += 8)
		if (!root->func[devfn])
			return devfn;
	return -ENOSPC;
}

int pci__add(struct pci_root *root, struct pci_func *f, int devfn)
{
	struct pci_slot *slot;
	int err;

	if (devfn < 0)
		devfn = free_devfn(root);
	if (devfn < 0) {
		pr_err("%s: all 32 slots of PCI bus 0 are taken; use fewer devices", f->name);
		return -ENOSPC;
	}
	if (devfn >= PCI_DEVFNS || root->func[devfn]) {
		pr_err("%s: PCI slot %02x.%x is not free", f->name, devfn >> 3, devfn & 7);
		return -EEXIST;
	}
	slot = calloc(1, sizeof(*slot));
	if (!slot) {
		pr_err("%s: out of memory", f->name);
		return -ENOMEM;
	}
	slot->root = root;

	f->bdf = devfn;
	f->vm = root->vm;
	f->dma = (struct dma_as){
		.mem = root->vm->mem,
		.ops = root->dma_ops,
		.iommu = root->iommu,
		.sid = f->bdf,
	};
	f->root_priv = slot;
	if (!f->pcie_cap)
		f->pcie_cap = pci_cfg__find_cap(f, PCI_CAP_ID_EXP);
	if (f->pcie_cap > 0x100 - PCI_CAP_EXP_RC_ENDPOINT_SIZEOF_V1)
		f->pcie_cap = 0;
	pci_bar__init(f);
	err = msix__attach(f);
	if (err)
		goto err_slot;
	err = pci_bar__assign(root, f);
	if (err)
		goto err_msix;
	/* Decoding starts when the driver wants it: BARs are sized with it off. */
	memcpy(f->initial, f->cfg, PCI_CFG_SIZE);
	root->func[devfn] = f;
	set_multifunction(root, devfn);
	/* An adopted command register may be on already. */
	pci_bar__update(root);
	msix__update(f);
	return 0;

err_msix:
	msix__detach(f);
err_slot:
	free(slot);
	f->root_priv = NULL;
	return err;
}

void pci__del(struct pci_func *f)
{
	struct pci_slot *slot = f->root_priv;

	if (slot) {
		pci_bar__unmap_all(f);
		slot->root->func[f->bdf] = NULL;
		set_multifunction(slot->root, f->bdf);
		f->root_priv = NULL;
		free(slot);
	}
	msix__free(f);
}

void pci__reset_all(struct pci_root *root)
{
	int i;

	for (i = 0; i < PCI_DEVFNS; i++)
		if (root->func[i])
			pci_cfg__reset(root->func[i]);
}

const struct pci_windows *pci__windows(const struct pci_root *root)
{
	return &root->win;
}

void pci__for_each(struct pci_root *root, void (*fn)(struct pci_func *f, void *arg), void *arg)
{
	int i;

	for (i = 0; i < PCI_DEVFNS; i++)
		if (root->func[i])
			fn(root->func[i], arg);
}

static int pci_setup(struct vm *vm)
{
	vm->pci = pci__new(vm);
	return vm->pci ? 0 : -errno;
}

static void pci_teardown(struct vm *vm)
{
	pci__free(vm->pci);
	vm->pci = NULL;
}

static void pci_reset(struct vm *vm)
{
	pci__reset_all(vm->pci);
}

static struct module pci_module = {
	.name = "pci",
	.level = MODULE_BUS,
	.setup = pci_setup,
	.teardown = pci_teardown,
	.reset = pci_reset,
};
LKVM_MODULE(pci_module)
