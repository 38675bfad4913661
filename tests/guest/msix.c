/* SPDX-License-Identifier: GPL-2.0-only */

/* MSI-X from the table's registers to the processor: masks, pending bits, odd messages. */

#include "pci.h"

#define VECTOR 0x40

static struct edu e;

static void fire(unsigned int vec)
{
	write32(e.regs + EDU_X_VECTOR, vec);
	write32(e.regs + EDU_IRQ_RAISE, 1);
	write32(e.regs + EDU_IRQ_ACK, ~0u);
}

static u32 pending(void)
{
	return read32(e.msix + 0x800);
}

int main(void)
{
	irq_init();
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	report(read32(e.msix + 12) == 1 && read32(e.msix + 3 * 16 + 12) == 1, "entries start masked");
	fire(0);
	report_eq(pending(), 0, "with MSI-X off nothing becomes pending");
	pci_msix(e.devfn, e.msix, 0, MSI_BASE, VECTOR, false);
	pci_msix(e.devfn, e.msix, 1, MSI_BASE, VECTOR + 1, true);
	irq_settle();
	report_eq(irq_count[VECTOR], 0, "and nothing arrives");

	pci_msix_enable(e.devfn, true, false);
	fire(0);
	report(irq_wait(VECTOR, 1), "an interrupt arrives");
	fire(0);
	report(irq_wait(VECTOR, 2), "and another");
	fire(1);
	report_eq(pending(), 2, "a masked entry becomes pending");
	fire(1);
	irq_settle();
	report_eq(irq_count[VECTOR + 1], 0, "and does not arrive");
	pci_msix(e.devfn, e.msix, 1, MSI_BASE, VECTOR + 2, false);
	report(irq_wait(VECTOR + 2, 1), "unmasked, it arrives once, by its new message");
	report_eq(pending(), 0, "and is pending no longer");

	pci_msix_enable(e.devfn, true, true);
	fire(0);
	report_eq(pending(), 1, "the function mask makes pending");
	pci_msix_enable(e.devfn, true, false);
	report(irq_wait(VECTOR, 3), "and gives it back");

	pci_msix(e.devfn, e.msix, 0, MSI_BASE, VECTOR + 3, false);
	fire(0);
	report(irq_wait(VECTOR + 3, 1), "a changed entry sends its new vector");

	report_eq(edu_put(&e, MSI_BASE, VECTOR + 5), EDU_DONE, "a dword by DMA");
	report(irq_wait(VECTOR + 5, 1), "is an interrupt as well");

	/* Messages that are no interrupt for us. */
	pci_msix(e.devfn, e.msix, 0, 0x200000, VECTOR, false);
	fire(0);
	pci_msix(e.devfn, e.msix, 0, MSI_BASE | 0xffUL << 32, VECTOR, false);
	fire(0);
	pci_msix(e.devfn, e.msix, 0, MSI_BASE | 0x55UL << 12, VECTOR, false);
	fire(0);
	pci_msix(e.devfn, e.msix, 0, MSI_BASE, 0xffffffff, true);
	pci_msix(e.devfn, e.msix, 0, ~0UL, 0xffffffff, true);
	irq_settle();
	report_eq(irq_count[VECTOR], 3, "messages to nowhere arrive nowhere");
	report(true, "and hurt nobody");

	write16(PCI_CFG(e.devfn) + PCI_COMMAND, PCI_COMMAND_MEM);
	pci_msix(e.devfn, e.msix, 0, MSI_BASE, VECTOR, false);
	fire(0);
	irq_settle();
	report_eq(irq_count[VECTOR], 3, "without bus mastering no interrupt");
	pci_enable(e.devfn);
	report(irq_wait(VECTOR, 4), "with it, what waited arrives");

	write16(PCI_CFG(e.devfn) + pci_cap(e.devfn, CAP_EXP, 0) + 8, BIT(15));
	pci_enable(e.devfn);
	report_eq(read32(e.msix + 12), 1, "FLR masks the entries");
	report(!(read16(PCI_CFG(e.devfn) + pci_cap(e.devfn, CAP_MSIX, 0) + 2) & BIT(15)),
	       "and switches MSI-X off");
	pci_msix(e.devfn, e.msix, 3, MSI_BASE, VECTOR + 4, false);
	pci_msix_enable(e.devfn, true, false);
	for (int i = 0; i < 100; i++)
		fire(3);
	irq_settle();
	report(irq_count[VECTOR + 4] >= 1 && irq_count[VECTOR + 4] <= 100,
	       "a hundred at once are merged, not lost (%u)", irq_count[VECTOR + 4]);
	fire(3);
	report(irq_wait(VECTOR + 4, irq_count[VECTOR + 4] + 1), "and the next one still comes");
	return 0;
}
