/* SPDX-License-Identifier: GPL-2.0-only */

/* Interrupt remapping: entries, who may use them, what is refused, and when a change is seen. */

#include "vtd.h"

#define VECTOR	   0x40
#define SVT_SID(s) (1UL << 18 | (u64)(s))
#define SVT_BUS	   (2UL << 18)

static struct edu e, e2;

/* A message in remappable format that names entry @index. */
static u64 remappable(u32 index)
{
	return MSI_BASE | (index & 0x7fff) << 5 | BIT(4) | (index >> 15) << 2;
}

static void irte(u32 index, u64 lo, u64 hi)
{
	at64(T_IRT + 16 * index)[1] = hi;
	at64(T_IRT + 16 * index)[0] = lo;
	vtd_inv(INV_IEC_INDEX(index), 0);
}

static u64 deliver(u32 vector)
{
	return 1 | (u64)vector << 16;
}

static void fire(struct edu *dev)
{
	write32(dev->regs + EDU_IRQ_RAISE, 1);
	write32(dev->regs + EDU_IRQ_ACK, ~0u);
}

static void message(u64 addr, u32 data)
{
	pci_msix(e.devfn, e.msix, 0, addr, data, false);
}

/* What the VMM's loop records, which may take its time. */
static u32 wait_fault(struct fault *f)
{
	u32 got = 0;

	for (int i = 0; i < 2000 && !got; i++) {
		irq_settle();
		got = vtd_fault(f);
	}
	return got;
}

/* An interrupt now ends in fault @reason. */
static void refused(u32 reason, const char *what)
{
	struct fault f = { 0 };
	u32 got, before[128];

	memcpy(before, (void *)irq_count, sizeof(before));
	vtd_faults_clear();
	fire(&e);
	got = wait_fault(&f);
	report_eq(got, reason, "%s: refused", what);
	report(f.sid == (u32)e.devfn && !memcmp(before, (void *)irq_count, sizeof(before)),
	       "%s: on account of this device, and nothing arrives", what);
}

static void start(void)
{
	memset((void *)T_IRT, 0, 0x1000);
	vtd_start_queue(TTM_LEGACY);
	vw32(R_FECTL, EV_IM);
	vw64(R_IRTA, T_IRT | 7); /* 256 entries; xAPIC format */
	report(vtd_command(G_SIRTP, true), "the interrupt table is set");
	vtd_inv(INV_IEC_GLOBAL, 0);
	report(vtd_command(G_IRE, true), "remapping is enabled");
}

static void remap(void)
{
	irte(3, deliver(VECTOR), SVT_SID(e.devfn));
	message(remappable(3), 0);
	fire(&e);
	report(irq_wait(VECTOR, 1), "an interrupt is remapped");
	irte(3, deliver(VECTOR + 1), SVT_SID(e.devfn));
	fire(&e);
	report(irq_wait(VECTOR + 1, 1), "after an invalidation to another vector");
	irte(5, deliver(VECTOR + 2), SVT_BUS);
	message(remappable(3) | BIT(3), 2); /* SHV: 3 + 2 */
	fire(&e);
	report(irq_wait(VECTOR + 2, 1), "a subhandle is added");
	pci_msix(e2.devfn, e2.msix, 0, remappable(5), 0, false);
	fire(&e2);
	report(irq_wait(VECTOR + 2, 2), "an entry for the bus serves the other device as well");
	irte(6, deliver(VECTOR + 3), SVT_SID(e.devfn ^ 7) | 3UL << 16);
	message(remappable(6), 0);
	fire(&e);
	report(irq_wait(VECTOR + 3, 1), "SQ ignores the function number");
}

static void refuse(void)
{
	message(remappable(9), 0);
	refused(0x22, "an absent entry");
	irte(9, deliver(VECTOR), SVT_SID(e2.devfn));
	refused(0x26, "another device's entry");
	irte(9, deliver(VECTOR) | BIT(12), 0);
	refused(0x24, "a reserved bit");
	irte(9, deliver(VECTOR), 3UL << 18);
	refused(0x24, "a reserved SVT");
	message(remappable(256), 0);
	refused(0x21, "an index beyond the table");
	message(MSI_BASE, VECTOR);
	refused(0x25, "compatibility format");
	message(remappable(3) | BIT(3), 0x10000);
	refused(0x20, "data above the subhandle");

	irte(9, 2, 0); /* FPD */
	message(remappable(9), 0);
	vtd_faults_clear();
	fire(&e);
	irq_settle();
	report_eq(vtd_fault(NULL), 0, "FPD keeps an absent entry quiet");

	/* The quiet one may still be on its way, and then arrives as well. */
	irte(9, deliver(VECTOR + 4), 0);
	fire(&e);
	report(irq_wait(VECTOR + 4, 1) || irq_count[VECTOR + 4] == 2,
	       "an entry that appears is used");
}

/* An interrupt that the device forges by DMA meets the same checks (3.15). */
static void forged_refused(u64 addr, u32 data, u32 reason, const char *what)
{
	struct fault f = { 0 };

	vtd_faults_clear();
	report_eq(edu_put(&e, addr, data), EDU_REFUSED, "by DMA, %s: refused", what);
	report_eq(vtd_fault(&f), reason, "by DMA, %s: reason %xh", what, reason);
	report_eq(f.sid, e.devfn, "by DMA, %s: of this device", what);
}

static void forged(void)
{
	irte(10, deliver(VECTOR + 8), SVT_SID(e.devfn));
	report_eq(edu_put(&e, remappable(10), 0), EDU_DONE, "by DMA: an entry of its own");
	report(irq_wait(VECTOR + 8, 1), "by DMA: is remapped");
	report_eq(edu_put(&e, remappable(8) | BIT(3), 2), EDU_DONE, "by DMA: with a subhandle");
	report(irq_wait(VECTOR + 8, 2), "by DMA: is remapped too");
	irte(10, deliver(VECTOR + 8), SVT_SID(e2.devfn));
	forged_refused(remappable(10), 0, 0x26, "another device's entry");
	forged_refused(remappable(11), 0, 0x22, "an absent entry");
	forged_refused(remappable(10) | BIT(3), 0x10000, 0x20, "data above the subhandle");
	forged_refused(MSI_BASE, VECTOR, 0x25, "compatibility format");
	irq_settle();
	report_eq(irq_count[VECTOR + 8], 2, "by DMA: what is refused does not arrive");
}

/* The unit's own interrupts are plain messages that nothing remaps or blocks (5.1.6). */
static void events(u32 vector, const char *mode)
{
	vtd_faults_clear();
	vw32(R_FEADDR, MSI_BASE);
	vw32(R_FEDATA, MSI_DATA(vector));
	vw32(R_FECTL, 0);
	report_eq(edu_put(&e, MSI_BASE, VECTOR), EDU_REFUSED, "%s: a plain message is refused",
		  mode);
	report(irq_wait(vector, 1), "%s: which the fault event, another one, tells", mode);
	vw32(R_FECTL, EV_IM);
	vtd_faults_clear();
	vw32(R_IEADDR, MSI_BASE);
	vw32(R_IEDATA, MSI_DATA(vector + 1));
	vw32(R_ICS, 1);
	vw32(R_IECTL, 0);
	vtd_push(INV_WAIT_IF, 0);
	vtd_tail();
	report(irq_wait(vector + 1, 1), "%s: and so does the completion event", mode);
	vw32(R_IECTL, EV_IM);
	vw32(R_ICS, 1);
}

static void off(void)
{
	message(MSI_BASE, VECTOR + 5);
	report(vtd_command(G_CFI, true), "compatibility format is allowed");
	fire(&e);
	report(irq_wait(VECTOR + 5, 1), "and passes");
	vtd_command(G_CFI, false);
	report(vtd_command(G_IRE, false), "remapping is disabled");
	message(MSI_BASE, VECTOR + 6);
	fire(&e);
	report(irq_wait(VECTOR + 6, 1), "then a plain message passes");
	vtd_stop();
}

/* x2APIC format: the destination has 32 bits; compatibility format never passes. */
static void extended(void)
{
	vtd_start_queue(TTM_LEGACY);
	vw64(R_IRTA, T_IRT | BIT(11) | 7);
	vtd_command(G_SIRTP, true);
	vtd_command(G_IRE, true);
	vtd_command(G_CFI, true);
	irte(1, deliver(VECTOR + 7), 0);
	message(remappable(1), 0);
	fire(&e);
	report(irq_wait(VECTOR + 7, 1), "extended mode: remapped");
	irte(1, deliver(VECTOR + 7) | 0x12345UL << 32, 0);
	fire(&e);
	irq_settle();
	report_eq(irq_count[VECTOR + 7], 1, "extended mode: a processor that is not there");
	message(MSI_BASE, VECTOR);
	refused(0x25, "extended mode: compatibility format");
	events(VECTOR + 11, "x2APIC mode");
	vw64(R_IRTA, 0xffffffff000 | 15);
	vtd_command(G_SIRTP, true);
	message(remappable(1), 0);
	vtd_faults_clear();
	fire(&e);
	report(wait_fault(NULL) != 0, "a table outside of memory");
	vtd_stop();
}

int main(void)
{
	irq_init();
	if (!edu_init(&e, 0) || !edu_init(&e2, 1)) {
		report(false, "there are two test devices");
		return 0;
	}
	if (!(vr64(R_ECAP) & ECAP_IR)) {
		report_skip("the unit does not remap interrupts");
		return 0;
	}
	pci_msix_enable(e.devfn, true, false);
	pci_msix_enable(e2.devfn, true, false);
	start();
	remap();
	refuse();
	forged();
	events(VECTOR + 9, "xAPIC mode");
	off();
	extended();
	return 0;
}
