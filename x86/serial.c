/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * COM1, a 16550A.  The transmitter is infinitely fast, so THRE is set unless our own output is stuck;
 * the receiver takes from lkvm's stdin once the guest has enabled its interrupt, because drivers throw
 * away what came before.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lkvm/bus.h"
#include "lkvm/irq.h"
#include "lkvm/layout.h"
#include "lkvm/module.h"
#include "lkvm/term.h"
#include "lkvm/vm.h"

/* Registers; RBR, THR and IER give way to the divisor latch with LCR.DLAB. */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR, REGS };

#define IER_RDI	 BIT(0)
#define IER_THRI BIT(1)
#define IER_RLSI BIT(2)
#define IER_MSI	 BIT(3)

#define IIR_NONE    0x01
#define IIR_MSI	    0x00
#define IIR_THRI    0x02
#define IIR_RDI	    0x04
#define IIR_RLSI    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO    0xc0

#define FCR_ENABLE   BIT(0)
#define FCR_CLEAR_RX BIT(1)

#define LCR_DLAB BIT(7)

#define MCR_DTR	 BIT(0)
#define MCR_RTS	 BIT(1)
#define MCR_OUT1 BIT(2)
#define MCR_OUT2 BIT(3) /* on a PC: connects the interrupt line */
#define MCR_LOOP BIT(4)
#define MCR_MASK 0x1f

#define LSR_DR	  BIT(0)
#define LSR_OE	  BIT(1)
#define LSR_BI	  BIT(4)
#define LSR_THRE  BIT(5)
#define LSR_TEMT  BIT(6)
#define LSR_FIFOE BIT(7)

#define MSR_DELTA     0x0f
#define MSR_TERI      BIT(2)
#define MSR_CTS	      BIT(4)
#define MSR_DSR	      BIT(5)
#define MSR_RI	      BIT(6)
#define MSR_DCD	      BIT(7)
#define MSR_CONNECTED (MSR_CTS | MSR_DSR | MSR_DCD)

#define FIFO_SIZE 64
#define RX_BREAK  BIT(8) /* in the FIFO: the line was held, not a character */

struct serial {
	struct irqchip *irq;
	u8 ier, fcr, lcr, mcr, msr, scr, dll, dlm;
	bool overrun;
	bool thre_pending; /* the transmitter became empty and nobody has looked */
	bool line;	   /* as driven */
	u16 fifo[FIFO_SIZE];
	u32 head, tail; /* free running */
	struct bus_region region;
};

static u32 rx_count(const struct serial *s)
{
	return s->head - s->tail;
}

/* What arrives next is a break that LSR has not told yet. */
static bool rx_break(const struct serial *s)
{
	return rx_count(s) && (s->fifo[s->tail % FIFO_SIZE] & RX_BREAK);
}

/* The interrupt with the highest priority. */
static u8 pending_irq(const struct serial *s)
{
	static const u8 trigger[] = { 1, 4, 8, 14 };

	if ((s->ier & IER_RLSI) && (s->overrun || rx_break(s)))
		return IIR_RLSI;
	if ((s->ier & IER_RDI) && rx_count(s)) {
		/* Below the trigger level it is the timeout, which has always passed. */
		if ((s->fcr & FCR_ENABLE) && rx_count(s) < trigger[s->fcr >> 6])
			return IIR_TIMEOUT;
		return IIR_RDI;
	}
	if ((s->ier & IER_THRI) && s->thre_pending)
		return IIR_THRI;
	if ((s->ier & IER_MSI) && (s->msr & MSR_DELTA))
		return IIR_MSI;
	return IIR_NONE;
}

/* The interrupt line is connected. */
static bool gated_in(const struct serial *s)
{
	return (s->mcr & MCR_OUT2) && !(s->mcr & MCR_LOOP);
}

static void update_irq(struct serial *s)
{
	bool line = gated_in(s) && pending_irq(s) != IIR_NONE;

	if (line == s->line)
		return;
	s->line = line;
	irq__line(s->irq, GSI_COM1, line);
}

static void rx_put(struct serial *s, u16 c)
{
	if (rx_count(s) == FIFO_SIZE)
		s->overrun = true;
	else
		s->fifo[s->head++ % FIFO_SIZE] = c;
}

/* Take input as long as the guest wants it (merely probing IER does not say so) and there is room. */
static void refill(struct serial *s)
{
	u8 c;

	if (!(s->ier & IER_RDI) || !gated_in(s) || term__taken())
		return;
	while (rx_count(s) < FIFO_SIZE && term__getc(&c))
		rx_put(s, c);
}

static void on_input(void *arg)
{
	refill(arg);
	update_irq(arg);
}

static void on_room(void *arg)
{
	struct serial *s = arg;

	s->thre_pending = true;
	update_irq(s);
}

/* The modem's lines: a cable with something at its other end, or the loop. */
static void update_msr(struct serial *s)
{
	u8 old = s->msr, now = MSR_CONNECTED;

	if (s->mcr & MCR_LOOP)
		now = (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
		      (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
	/* Deltas are in the order of the lines; that of RI tells only its end. */
	s->msr = now | (old & MSR_DELTA) | (((old ^ now) >> 4) & MSR_DELTA & ~MSR_TERI);
	if ((old & MSR_RI) && !(now & MSR_RI))
		s->msr |= MSR_TERI;
}

static bool tx_room(void)
{
	return term__taken() || term__room();
}

static void transmit(struct serial *s, u8 c)
{
	if (s->mcr & MCR_LOOP)
		rx_put(s, c);
	else if (term__taken())
		term__err_putc(c);
	else
		term__putc(c);
	/* Full for an instant, which a driver that counts edges needs to see. */
	s->thre_pending = false;
	update_irq(s);
	s->thre_pending = tx_room();
	update_irq(s);
}

static void write_fcr(struct serial *s, u8 val)
{
	/*
	 * Switching the FIFOs on would empty them as well, but Linux does that after it has enabled the
	 * receiver, and typing that came between the two would be lost.
	 */
	if (val & FCR_CLEAR_RX)
		s->tail = s->head;
	s->fcr = val & FCR_ENABLE ? val & (0xc0 | FCR_ENABLE) : 0;
}

static void reg_write(struct serial *s, unsigned int reg, u8 val)
{
	switch (reg) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB)
			s->dll = val;
		else
			transmit(s, val);
		return;
	case REG_IER:
		if (s->lcr & LCR_DLAB) {
			s->dlm = val;
			return;
		}
		/* Enabling it interrupts at once if the transmitter is empty. */
		if ((val & IER_THRI) && !(s->ier & IER_THRI))
			s->thre_pending = tx_room();
		s->ier = val & 0x0f;
		refill(s);
		break;
	case REG_IIR_FCR:
		write_fcr(s, val);
		refill(s);
		break;
	case REG_LCR:
		s->lcr = val;
		return;
	case REG_MCR:
		s->mcr = val & MCR_MASK;
		update_msr(s);
		refill(s);
		break;
	case REG_SCR:
		s->scr = val;
		return;
	default: /* LSR and MSR: factory test */
		return;
	}
	update_irq(s);
}

static u8 read_data(struct serial *s)
{
	u8 c = 0;

	if (rx_count(s))
		c = (u8)s->fifo[s->tail++ % FIFO_SIZE];
	if (!rx_count(s))
		refill(s);
	return c;
}

/* Reading it takes back what it tells of the next character; FIFOE stays while others follow. */
static u8 read_lsr(struct serial *s)
{
	u8 val = rx_count(s) ? LSR_DR : 0;

	for (u32 i = s->tail; (s->fcr & FCR_ENABLE) && i != s->head; i++)
		if (s->fifo[i % FIFO_SIZE] & RX_BREAK)
			val |= LSR_FIFOE;
	if (rx_break(s)) {
		val |= LSR_BI;
		s->fifo[s->tail % FIFO_SIZE] &= (u16)~RX_BREAK;
	}
	if (tx_room())
		val |= LSR_THRE | LSR_TEMT;
	if (s->overrun)
		val |= LSR_OE;
	s->overrun = false;
	return val;
}

static u8 read_iir(struct serial *s)
{
	u8 val = pending_irq(s);

	if (val == IIR_THRI)
		s->thre_pending = false;
	return val | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static u8 reg_read(struct serial *s, unsigned int reg)
{
	u8 val;

	switch (reg) {
	case REG_DATA:
		val = s->lcr & LCR_DLAB ? s->dll : read_data(s);
		break;
	case REG_IER:
		return s->lcr & LCR_DLAB ? s->dlm : s->ier;
	case REG_IIR_FCR:
		val = read_iir(s);
		break;
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		val = read_lsr(s);
		break;
	case REG_MSR:
		val = s->msr;
		s->msr &= (u8)~MSR_DELTA;
		break;
	default:
		return s->scr;
	}
	update_irq(s);
	return val;
}

/* A wide access is one to each of the ports it covers. */
static void serial_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	struct serial *s = container_of(r, struct serial, region);

	for (u32 i = 0; i < len; i++) {
		if (write)
			reg_write(s, off + i, data[i]);
		else
			data[i] = reg_read(s, off + i);
	}
}

static struct serial com1;

static bool check_sysrq(const char *arg, void *out)
{
	if (arg[0] > ' ' && arg[0] <= '~' && !arg[1])
		return true;
	fprintf(out, "error: --sysrq \"%s\": give one printable character, such as h\n", arg);
	return false;
}

/*
 * Linux takes the character that follows a break on its console for a magic SysRq.  Both go past what
 * waits in our stdin, so that nothing comes between them.
 */
static void verb_sysrq(struct vm *vm, const char *arg, void *out)
{
	struct serial *s = &com1;

	if (!check_sysrq(arg, out))
		return;
	if (term__taken()) {
		fprintf(out, "error: --sysrq: a virtio console has no break, and with it COM1 no "
			     "input; write to /proc/sysrq-trigger in the guest\n");
	} else if (!(s->ier & IER_RDI) || !gated_in(s)) {
		fprintf(out, "error: --sysrq: the guest does not listen on COM1; is its console "
			     "ttyS0, and open?\n");
	} else if (rx_count(s) > FIFO_SIZE - 2) {
		fprintf(out, "error: --sysrq: the guest does not take what has come on COM1; "
			     "try --nmi\n");
	} else {
		rx_put(s, RX_BREAK);
		rx_put(s, (u8)arg[0]);
		update_irq(s);
	}
}

static const struct control_verb verbs[] = {
	{ .name = "sysrq",
	  .arg = "KEY",
	  .help = "send a break and KEY on the serial port: a magic SysRq of Linux (h: help)",
	  .check = check_sysrq,
	  .handle = verb_sysrq },
	{ .name = NULL },
};

static int serial_setup(struct vm *vm)
{
	int ret;

	com1 = (struct serial){
		.irq = vm->irq,
		.msr = MSR_CONNECTED,
		.dll = 1, /* 115200 */
		.region = {
			.base = PORT_COM1,
			.size = REGS,
			.access = serial_access,
			.name = "serial",
		},
	};
	ret = bus__add(vm->pio, &com1.region);
	if (ret < 0) {
		pr_err("cannot place the serial port: %s", strerror(-ret));
		return ret;
	}
	if (term__taken())
		return 0;
	term__on_input(on_input, &com1);
	term__on_room(on_room, &com1);
	return 0;
}

static void serial_teardown(struct vm *vm)
{
	term__on_input(NULL, NULL);
	term__on_room(NULL, NULL);
	bus__del(&com1.region);
}

static struct module serial_module = {
	.name = "serial",
	.level = MODULE_DEVICE,
	.verbs = verbs,
	.setup = serial_setup,
	.teardown = serial_teardown,
};
LKVM_MODULE(serial_module);
