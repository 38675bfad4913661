/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The IOAPIC: 10 pins, version 20h, that is with an EOI register.  Each pin's redirection entry stands
 * for a message, which is sent like any other MSI, with SID_IOAPIC as its requester.
 */

#include <string.h>

#include "x86/irqchip.h"

#define IOREGSEL 0x00
#define IOWIN	 0x10
#define IOEOI	 0x40

#define REG_ID	0x00
#define REG_VER 0x01
#define REG_ARB 0x02
#define REG_RTE 0x10 /* low half of pin 0, its high half, low half of pin 1, ... */

#define VERSION (0x20 | (IOAPIC_PINS - 1) << 16)
#define ID_MASK 0x0f000000u

/* Redirection entry. */
#define RTE_LOGICAL    BIT(11) /* compatibility format: destination mode */
#define RTE_STATUS     BIT(12) /* read-only, always idle here */
#define RTE_REMOTE_IRR BIT(14) /* read-only: level interrupt accepted, not yet EOId */
#define RTE_LEVEL      BIT(15)
#define RTE_MASKED     BIT(16)
#define RTE_REMAP      BIT(48) /* remappable format (VT-d 5.1.5.1) */
#define RTE_READ_ONLY  (RTE_STATUS | RTE_REMOTE_IRR)

/* Bits of a message (SDM 3A, "Message signalled interrupts"; VT-d 5.1.2.2). */
#define MSI_ADDR	0xfee00000ULL
#define MSI_LOGICAL	BIT(2)
#define MSI_REMAP	BIT(4)
#define MSI_INDEX_15	BIT(2)
#define MSI_DATA_ASSERT BIT(14)
#define MSI_DATA_LEVEL	BIT(15)

static u8 rte_vector(u64 rte)
{
	return (u8)rte;
}

static void rte_to_msi(u64 rte, struct msi_msg *msg)
{
	msg->data = rte_vector(rte) | (u32)FIELD(rte, 10, 8) << 8;
	if (rte & RTE_LEVEL)
		msg->data |= MSI_DATA_LEVEL | MSI_DATA_ASSERT;
	if (rte & RTE_REMAP)
		msg->addr = MSI_ADDR | MSI_REMAP | FIELD(rte, 63, 49) << 5 |
			    (FIELD(rte, 11, 11) ? MSI_INDEX_15 : 0);
	else
		msg->addr =
		    MSI_ADDR | FIELD(rte, 63, 56) << 12 | (rte & RTE_LOGICAL ? MSI_LOGICAL : 0);
}

bool ioapic__pin_msg(const struct ioapic *ioapic, unsigned int pin, struct msi_msg *msg)
{
	u64 rte = ioapic->rte[pin];

	/* Masked ones too: Linux masks a level interrupt while its thread runs, and EOIs it then. */
	if (!(rte & RTE_LEVEL) || rte_vector(rte) < 16)
		return false;
	rte_to_msi(rte, msg);
	return true;
}

static void pin_send(struct irqchip *irq, unsigned int pin)
{
	u64 *rte = &irq->ioapic.rte[pin];
	struct msi_msg msg;

	if (*rte & RTE_LEVEL) {
		if (*rte & RTE_REMOTE_IRR)
			return;
		/* Also if the IOMMU blocks it: the IOAPIC cannot know. */
		*rte |= RTE_REMOTE_IRR;
	}
	rte_to_msi(*rte, &msg);
	irq__msi(irq, SID_IOAPIC, &msg);
}

/* A level-triggered pin whose line is asserted interrupts whenever nothing holds it back. */
static void pin_service(struct irqchip *irq, unsigned int pin)
{
	u64 rte = irq->ioapic.rte[pin];

	if (irq->ioapic.line[pin] && (rte & RTE_LEVEL) && !(rte & RTE_MASKED))
		pin_send(irq, pin);
}

void irq__line(struct irqchip *irq, unsigned int gsi, bool level)
{
	struct ioapic *ioapic = &irq->ioapic;
	bool rising;

	if (gsi >= IOAPIC_PINS)
		return;
	rising = level && !ioapic->line[gsi];
	ioapic->line[gsi] = level;
	if (ioapic->rte[gsi] & RTE_LEVEL)
		pin_service(irq, gsi);
	else if (rising && !(ioapic->rte[gsi] & RTE_MASKED))
		pin_send(irq, gsi); /* edges on a masked pin are lost, as in the 82093AA */
}

void irq__eoi(struct irqchip *irq, u8 vector)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *rte = &irq->ioapic.rte[pin];

		if (!(*rte & RTE_REMOTE_IRR) || rte_vector(*rte) != vector)
			continue;
		*rte &= ~RTE_REMOTE_IRR;
		pin_service(irq, pin);
	}
}

static void rte_write(struct irqchip *irq, unsigned int reg, u32 val)
{
	unsigned int pin = (reg - REG_RTE) / 2;
	u64 *rte = &irq->ioapic.rte[pin];
	u64 old = *rte, new;

	if (reg & 1)
		new = (u64)val << 32 | (u32)old;
	else
		new = (old & ~0xffffffffULL) | val;
	new = (new & ~RTE_READ_ONLY) | (old & RTE_READ_ONLY);
	/* Switching to edge and back is how an EOI is forced on old IOAPICs. */
	if (!(new &RTE_LEVEL))
		new &= ~RTE_REMOTE_IRR;
	*rte = new;
	irq__pin_changed(irq, pin);
	pin_service(irq, pin);
}

static u32 reg_read(const struct ioapic *ioapic)
{
	unsigned int reg = ioapic->index;

	switch (reg) {
	case REG_ID:
	case REG_ARB:
		return ioapic->id;
	case REG_VER:
		return VERSION;
	}
	if (reg < REG_RTE || reg >= REG_RTE + 2 * IOAPIC_PINS)
		return 0;
	return (u32)(ioapic->rte[(reg - REG_RTE) / 2] >> (reg & 1 ? 32 : 0));
}

static void reg_write(struct irqchip *irq, u32 val)
{
	unsigned int reg = irq->ioapic.index;

	if (reg == REG_ID)
		irq->ioapic.id = val & ID_MASK;
	else if (reg >= REG_RTE && reg < REG_RTE + 2 * IOAPIC_PINS)
		rte_write(irq, reg, val);
}

/*
 * The registers are 32 bits wide on 16 byte boundaries; software uses aligned dwords.  Of other
 * accesses, reads see the bytes that are there and writes count only from a register's first byte.
 */
static void ioapic_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	struct irqchip *irq = container_of(r, struct irqchip, ioapic.region);
	u64 reg = ALIGN_DOWN(off, 4);
	unsigned int skip = off & 3;
	u32 val = 0;

	if (!write) {
		if (reg == IOREGSEL)
			val = irq->ioapic.index;
		else if (reg == IOWIN)
			val = reg_read(&irq->ioapic);
		memset(data, 0, len);
		memcpy(data, (u8 *)&val + skip, MIN(len, 4 - skip));
		return;
	}
	memcpy(&val, data, MIN(len, sizeof(val)));
	if (off == IOREGSEL)
		irq->ioapic.index = (u8)val;
	else if (off == IOWIN)
		reg_write(irq, val);
	else if (off == IOEOI)
		irq__eoi(irq, (u8)val);
}

void irq__ioapic_reset(struct irqchip *irq)
{
	irq->ioapic.index = 0;
	irq->ioapic.id = 0;
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		irq->ioapic.rte[pin] = RTE_MASKED;
		irq__pin_changed(irq, pin);
	}
}

int irq__ioapic_init(struct irqchip *irq, struct bus *mmio)
{
	irq__ioapic_reset(irq);
	irq->ioapic.region = (struct bus_region){
		.base = IOAPIC_BASE,
		.size = IOAPIC_SIZE,
		.access = ioapic_access,
		.name = "ioapic",
	};
	return bus__add(mmio, &irq->ioapic.region);
}
