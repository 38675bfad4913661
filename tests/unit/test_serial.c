/* SPDX-License-Identifier: GPL-2.0-only */

/* The 16550A, between a bus, an interrupt line and a console that are fakes. */

#include "tests/unit/tap.h"
#include "x86/serial.c"

static struct bus_region *port;
static struct module *registered;

int bus__add(struct bus *bus, struct bus_region *r)
{
	port = r;
	return 0;
}

void bus__del(struct bus_region *r)
{
	port = NULL;
}

void module__register(struct module *m)
{
	registered = m;
}

void pr_err(const char *fmt, ...)
{
}

static bool line;
static unsigned int edges;

void irq__line(struct irqchip *irq, unsigned int gsi, bool level)
{
	if (gsi != GSI_COM1)
		return;
	edges += level && !line;
	line = level;
}

static const char *input = "";
static char output[256];
static unsigned int nout;
static bool room = true;
static void (*input_fn)(void *arg), (*room_fn)(void *arg);
static void *fn_arg;

void term__on_input(void (*fn)(void *arg), void *arg)
{
	input_fn = fn;
	fn_arg = arg;
}

void term__on_room(void (*fn)(void *arg), void *arg)
{
	room_fn = fn;
}

static bool taken;
static unsigned int err_count;

bool term__taken(void)
{
	return taken;
}

void term__err_putc(u8 c)
{
	err_count++;
}

bool term__getc(u8 *c)
{
	if (!*input)
		return false;
	*c = (u8)*input++;
	return true;
}

void term__putc(u8 c)
{
	if (nout < sizeof(output) - 1)
		output[nout++] = (char)c;
}

bool term__room(void)
{
	return room;
}

static void wr(unsigned int reg, u8 v)
{
	port->access(port, reg, &v, 1, true);
}

static u8 rd(unsigned int reg)
{
	u8 v = 0xff;

	port->access(port, reg, &v, 1, false);
	return v;
}

static void type(const char *s)
{
	input = s;
	input_fn(fn_arg);
}

static void test_registers(void)
{
	u8 wide[8];

	eq(rd(REG_IIR_FCR), IIR_NONE, "no interrupt, no FIFO");
	eq(rd(REG_LSR), LSR_THRE | LSR_TEMT, "the transmitter is empty");
	eq(rd(REG_MSR), MSR_CONNECTED, "somebody is connected");
	wr(REG_SCR, 0xa5);
	eq(rd(REG_SCR), 0xa5, "the scratch register holds");
	wr(REG_IER, 0xff);
	eq(rd(REG_IER), 0x0f, "IER has four bits");
	wr(REG_IER, 0);
	wr(REG_LCR, LCR_DLAB | 3);
	wr(REG_DATA, 0x0c);
	wr(REG_IER, 0x01);
	ok(rd(REG_DATA) == 0x0c && rd(REG_IER) == 0x01, "DLAB shows the divisor");
	wr(REG_LCR, 3);
	ok(rd(REG_IER) == 0 && nout == 0, "and without it IER and the data are back");
	wr(REG_IIR_FCR, FCR_ENABLE);
	eq(rd(REG_IIR_FCR), IIR_FIFO | IIR_NONE, "a 16550A shows its FIFOs");
	wr(REG_IIR_FCR, 0x20 | FCR_ENABLE);
	eq(rd(REG_IIR_FCR), IIR_FIFO | IIR_NONE, "it is no 16750");
	wr(REG_LSR, 0);
	wr(REG_MSR, 0xff);
	ok(rd(REG_LSR) == (LSR_THRE | LSR_TEMT) && rd(REG_MSR) == MSR_CONNECTED,
	   "status registers are read-only");
	port->access(port, 0, wide, 8, false);
	eq(wide[REG_SCR], 0xa5, "a wide read is one of each port");
}

static void test_output(void)
{
	nout = 0;
	edges = 0;
	wr(REG_DATA, 'h');
	wr(REG_DATA, 'i');
	ok(nout == 2 && !memcmp(output, "hi", 2), "what is written comes out");
	eq(edges, 0, "without an interrupt");
	wr(REG_IER, IER_THRI);
	ok(!line, "OUT2 gates the line");
	wr(REG_MCR, MCR_OUT2);
	ok(line && edges == 1, "enabled, an empty transmitter interrupts");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_THRI, "IIR says why");
	ok(!line, "reading it is the acknowledge");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_NONE, "once");
	wr(REG_DATA, 'x');
	ok(line && edges == 2, "a byte written makes it empty again");
	wr(REG_DATA, 'y');
	eq(edges, 3, "each with an edge of its own");
	room = false;
	wr(REG_DATA, 'z');
	ok(!line && !(rd(REG_LSR) & LSR_THRE), "stuck output: not ready, no interrupt");
	room = true;
	room_fn(fn_arg);
	ok(line && (rd(REG_LSR) & LSR_THRE), "going on interrupts");
	wr(REG_IER, 0);
	ok(!line, "disabling takes it away");
}

static void test_input(void)
{
	wr(REG_IIR_FCR, FCR_ENABLE | FCR_CLEAR_RX | 0xc0);
	type("early");
	ok(!(rd(REG_LSR) & LSR_DR), "input waits until the guest wants it");
	wr(REG_IER, IER_RDI);
	ok(line && (rd(REG_LSR) & LSR_DR), "then it interrupts");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_TIMEOUT, "below the trigger level: a timeout");
	ok(rd(REG_DATA) == 'e' && rd(REG_DATA) == 'a' && rd(REG_DATA) == 'r' && rd(REG_DATA) == 'l',
	   "bytes come in order");
	ok(line, "the line stays up");
	eq(rd(REG_DATA), 'y', "to the last one");
	ok(!line && !(rd(REG_LSR) & LSR_DR), "and goes down");
	eq(rd(REG_DATA), 0, "an empty FIFO reads 0");

	type("0123456789012345");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_RDI, "above the trigger level: data");
	wr(REG_IIR_FCR, FCR_ENABLE | FCR_CLEAR_RX);
	ok(!line && !(rd(REG_LSR) & LSR_DR), "clearing the FIFO drops it");

	type("0123456789012345678901234567890123456789012345678901234567890123abc");
	ok(*input == 'a', "no more is taken than the FIFO holds");
	for (int i = 0; i < FIFO_SIZE; i++)
		rd(REG_DATA);
	eq(rd(REG_DATA), 'a', "the rest follows when it is empty");
	rd(REG_DATA);
	rd(REG_DATA);
	ok(!(rd(REG_LSR) & (LSR_DR | LSR_OE)), "without an overrun");

	type("kept");
	wr(REG_IIR_FCR, 0);
	wr(REG_IIR_FCR, FCR_ENABLE);
	ok(rd(REG_DATA) == 'k' && rd(REG_DATA) == 'e', "switching the FIFOs on loses nothing");
	wr(REG_IIR_FCR, FCR_ENABLE | FCR_CLEAR_RX);

	/* A driver probing the chip must not lose the user's typing. */
	wr(REG_IER, 0);
	wr(REG_MCR, 0);
	wr(REG_IER, 0x0f);
	type("typed");
	ok(*input == 't', "probing IER takes no input");
	wr(REG_IER, 0);
	input = "";
}

static char answer[256];

static bool sysrq(const char *key)
{
	FILE *f = fmemopen(answer, sizeof(answer), "w");

	verbs[0].handle(NULL, key, f);
	fputc(0, f);
	fclose(f);
	return !*answer;
}

/* The order of 8250 drivers: LSR, then the data, as long as there is any. */
static void test_sysrq(void)
{
	static const char *const bad[] = { "", "hh", " ", "\t", "\x7f", "\xe4" };

	wr(REG_MCR, MCR_OUT2);
	wr(REG_IER, IER_RDI | IER_RLSI);
	wr(REG_IIR_FCR, FCR_ENABLE | FCR_CLEAR_RX | 0xc0);
	ok(!line, "nothing is there");
	ok(sysrq("h"), "a SysRq is taken");
	eq(rx_count(&com1), 2, "as two characters");
	ok(line, "it interrupts");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_RLSI, "as a change of the line");
	eq(rd(REG_LSR) & ~(LSR_THRE | LSR_TEMT), LSR_DR | LSR_BI | LSR_FIFOE, "LSR: a break");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_TIMEOUT, "which is told once, its data is still there");
	eq(rd(REG_LSR) & ~(LSR_THRE | LSR_TEMT), LSR_DR, "so says LSR");
	eq(rd(REG_DATA), 0, "a NUL");
	eq(rd(REG_LSR) & ~(LSR_THRE | LSR_TEMT), LSR_DR, "then a character without a break");
	eq(rd(REG_DATA), 'h', "the key");
	ok(!line && !(rd(REG_LSR) & (LSR_DR | LSR_BI)), "and that is all");

	type("ab");
	ok(sysrq("t"), "behind input");
	eq(rd(REG_LSR) & (LSR_BI | LSR_FIFOE), LSR_FIFOE, "LSR: further back is a break");
	ok(rd(REG_DATA) == 'a' && !(rd(REG_LSR) & LSR_BI) && rd(REG_DATA) == 'b', "input first");
	ok(rd(REG_LSR) & LSR_BI, "the break is where it came");
	rd(REG_DATA);
	rd(REG_DATA);
	wr(REG_IIR_FCR, 0);
	sysrq("t");
	ok((rd(REG_LSR) & (LSR_BI | LSR_FIFOE)) == LSR_BI, "without FIFOs nothing is further back");
	rd(REG_DATA);
	rd(REG_DATA);
	wr(REG_IER, IER_RDI);
	sysrq("t");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_RDI, "a driver without RLSI hears of data");
	wr(REG_IIR_FCR, FCR_ENABLE | FCR_CLEAR_RX);
	ok(!line && !(rd(REG_LSR) & (LSR_DR | LSR_BI | LSR_FIFOE)), "clearing the FIFO drops it");

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		ok(!sysrq(bad[i]) && !strncmp(answer, "error: ", 7) && !rx_count(&com1),
		   "no key %u is refused", i);
	wr(REG_IER, 0);
	ok(!sysrq("h") && strstr(answer, "does not listen"), "nor when nobody listens");
	wr(REG_IER, IER_RDI);
	wr(REG_MCR, MCR_OUT2 | MCR_LOOP);
	ok(!sysrq("h"), "nor in the loop");
	for (int i = 0; i < FIFO_SIZE - 1; i++)
		wr(REG_DATA, 'x');
	wr(REG_MCR, MCR_OUT2);
	ok(!sysrq("h") && rx_count(&com1) == FIFO_SIZE - 1, "nor half of it");
	wr(REG_IIR_FCR, FCR_ENABLE | FCR_CLEAR_RX);
	rd(REG_MSR);
	wr(REG_IER, 0);
	wr(REG_MCR, 0);
	wr(REG_IIR_FCR, 0);
}

static void test_loopback(void)
{
	rd(REG_MSR);
	nout = 0;
	wr(REG_IER, IER_RDI | IER_RLSI | IER_MSI);
	wr(REG_MCR, MCR_LOOP | MCR_RTS | MCR_OUT2);
	eq(rd(REG_MSR) & 0xf0, MSR_CTS | MSR_DCD, "the loop joins RTS to CTS and OUT2 to DCD");
	wr(REG_MCR, MCR_LOOP | MCR_DTR | MCR_OUT1);
	eq(rd(REG_MSR), MSR_DSR | MSR_RI | 0x0b, "DTR to DSR, OUT1 to RI; the deltas tell");
	wr(REG_MCR, MCR_LOOP);
	eq(rd(REG_MSR), MSR_TERI | BIT(1), "the end of RI is told");
	edges = 0;
	wr(REG_DATA, 'q');
	ok(nout == 0 && rd(REG_DATA) == 'q', "data comes back and does not go out");
	for (int i = 0; i < FIFO_SIZE + 1; i++)
		wr(REG_DATA, (u8)i);
	eq(edges, 0, "the interrupt line is disconnected in the loop");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_RLSI, "an overrun has the highest priority");
	ok(rd(REG_LSR) & LSR_OE, "LSR tells it");
	ok(!(rd(REG_LSR) & LSR_OE), "once");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_RDI, "then comes the data");
	wr(REG_IIR_FCR, FCR_ENABLE | FCR_CLEAR_RX);
	wr(REG_IIR_FCR, 0);
	eq(rd(REG_IIR_FCR), IIR_NONE, "emptied and off, they show neither data nor themselves");
	wr(REG_MCR, MCR_OUT2);
	ok(line, "leaving the loop changes the modem lines");
	eq(rd(REG_IIR_FCR) & 0x0f, IIR_MSI, "which is an interrupt");
	rd(REG_MSR);
	ok(!line, "reading MSR ends it");
}

/* Whatever is written, the model must stay inside its arrays (ASan looks). */
static void test_noise(void)
{
	u32 x = 1;

	for (int i = 0; i < 200000; i++) {
		u8 data[8];
		u32 len, off;

		x = x * 1664525 + 1013904223;
		len = (x >> 28) % 8 + 1;
		off = (x >> 24) % (9 - len);
		memset(data, (int)(x >> 16), sizeof(data));
		if (i % 16 == 0)
			type("noise");
		if (i % 64 == 0)
			sysrq("h");
		port->access(port, off, data, len, x & 1);
	}
	ok(rx_count(&com1) <= FIFO_SIZE, "noise does not overfill the FIFO");
}

/* Another device has the terminal. */
static void test_taken(struct vm *vm)
{
	size_t before = nout;

	input_fn = NULL;
	taken = true;
	ok(registered->setup(vm) == 0 && !input_fn, "taken: it does not ask for input");
	room = false;
	wr(REG_DATA, 'e');
	ok(nout == before && err_count == 1, "taken: output goes to stderr");
	ok(rd(REG_LSR) & LSR_THRE, "taken: it never waits for stdout");
	input = "x";
	wr(REG_MCR, MCR_OUT2);
	wr(REG_IER, IER_RDI);
	ok(!(rd(REG_LSR) & LSR_DR), "taken: no input");
	ok(!sysrq("h") && strstr(answer, "virtio") && !rx_count(&com1), "taken: no SysRq either");
	registered->teardown(vm);
	taken = false;
	room = true;
}

int main(void)
{
	struct vm vm = { .name = "test" };

	ok(registered && registered->setup(&vm) == 0 && port && port->base == PORT_COM1,
	   "COM1 is on the bus");
	test_registers();
	test_output();
	test_input();
	test_sysrq();
	test_loopback();
	test_noise();
	registered->teardown(&vm);
	ok(!port, "and is taken off it");
	test_taken(&vm);
	return tap_done();
}
