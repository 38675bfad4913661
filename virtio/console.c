/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-console (virtio 5.3) with one port, which is the terminal: `--console virtio`.
 *
 *	queue 0	buffers for what is typed
 *	queue 1	what the guest prints
 *
 * Nothing is lost in either direction.  Input waits in the terminal until the guest has a buffer
 * for it; a chain of output that the terminal does not take at once goes back, to be continued.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "lkvm/module.h"
#include "lkvm/term.h"
#include "lkvm/virtio.h"
#include "lkvm/vm.h"
#include "virtio/iov.h"

#define CLASS_COMM_OTHER 0x078000

enum { QUEUE_RX, QUEUE_TX, QUEUES };

/* At a time: chains, and bytes of output. */
#define TURN	   64
#define TURN_BYTES (64 * KiB)

static struct console {
	struct virtio_dev dev;
	/* Typed, and not yet given to the guest. */
	u8 in[256];
	u32 in_at, in_len;
	u64 printed; /* of the next chain of output */
} console;
static bool asked;

static bool have_input(struct console *con)
{
	if (con->in_at == con->in_len)
		con->in_at = con->in_len = 0;
	while (con->in_len < sizeof(con->in) && term__getc(&con->in[con->in_len]))
		con->in_len++;
	return con->in_at < con->in_len;
}

static void receive(struct console *con)
{
	struct virtq_chain c;
	int n;

	for (n = 0; n < TURN && have_input(con); n++) {
		u64 done;

		if (virtq__pop(&con->dev, QUEUE_RX, &c) <= 0)
			break;
		done = iov__write(c.iov + c.nout, c.error ? 0 : c.nin, con->in + con->in_at,
				  con->in_len - con->in_at);
		con->in_at += done;
		virtq__push(&con->dev, QUEUE_RX, c.head, done);
	}
	if (n)
		virtq__interrupt(&con->dev, QUEUE_RX);
	if (n == TURN)
		virtq__again(&con->dev, QUEUE_RX);
}

/* Print what the terminal takes, *@budget bytes at most; true if that is all. */
static bool print(struct console *con, struct iovec *v, int nv, u64 *budget)
{
	u8 buf[512];

	iov__skip(&v, &nv, con->printed);
	while (nv && *budget && term__room()) {
		u64 n = iov__read(v, nv, buf, MIN(*budget, sizeof(buf)));

		for (u64 i = 0; i < n; i++)
			term__putc(buf[i]);
		iov__skip(&v, &nv, n);
		con->printed += n;
		*budget -= n;
	}
	return !nv;
}

static void transmit(struct console *con)
{
	u64 budget = TURN_BYTES;
	struct virtq_chain c;
	bool pushed = false;
	int n;

	for (n = 0; n < TURN && budget && virtq__pop(&con->dev, QUEUE_TX, &c) > 0; n++) {
		if (!print(con, c.iov, c.error ? 0 : c.nout, &budget)) {
			virtq__unpop(&con->dev, QUEUE_TX, 1);
			break;
		}
		con->printed = 0;
		virtq__push(&con->dev, QUEUE_TX, c.head, 0);
		pushed = true;
	}
	if (pushed)
		virtq__interrupt(&con->dev, QUEUE_TX);
	/* Without room in the terminal it goes on when there is: on_room(). */
	if (n == TURN || !budget)
		virtq__again(&con->dev, QUEUE_TX);
}

static void notify(struct virtio_dev *dev, unsigned int q)
{
	struct console *con = container_of(dev, struct console, dev);

	if (q == QUEUE_RX)
		receive(con);
	else
		transmit(con);
}

/* The queues are not there before the driver has started, which virtq__pop() finds out. */
static void on_input(void *arg)
{
	receive(arg);
}

static void on_room(void *arg)
{
	transmit(arg);
}

/* What was typed is kept for the next driver. */
static void reset(struct virtio_dev *dev)
{
	container_of(dev, struct console, dev)->printed = 0;
}

static const struct virtio_ops console_ops = {
	.device_id = VIRTIO_ID_CONSOLE,
	.class_code = CLASS_COMM_OTHER,
	.nqueues = QUEUES,
	.notify = notify,
	.reset = reset,
};

static int parse(const char *arg)
{
	if (strcmp(arg, "virtio") && strcmp(arg, "serial")) {
		pr_err("--console %s: unknown; write serial or virtio", arg);
		return -EINVAL;
	}
	asked = !strcmp(arg, "virtio");
	return 0;
}

/* Before any device is set up: COM1 looks who has the terminal. */
static int validate(void)
{
	if (asked)
		term__take();
	return 0;
}

static int setup(struct vm *vm)
{
	int err;

	if (!asked)
		return 0;
	console = (struct console){ .dev.ops = &console_ops };
	err = virtio_pci__add(vm, &console.dev, "virtio-console");
	if (err)
		return err;
	term__on_input(on_input, &console);
	term__on_room(on_room, &console);
	return 0;
}

static void teardown(struct vm *vm)
{
	if (!console.dev.transport)
		return;
	term__on_input(NULL, NULL);
	term__on_room(NULL, NULL);
	virtio_pci__del(&console.dev);
}

static const struct option_def options[] = {
	{
	    .name = "console",
	    .arg = "serial|virtio",
	    .help = "what the terminal is to the guest: COM1 (default), or hvc0",
	    .parse = parse,
	},
	{ 0 },
};

static struct module module_console = {
	.name = "virtio-console",
	.level = MODULE_DEVICE,
	.options = options,
	.validate = validate,
	.setup = setup,
	.teardown = teardown,
};
LKVM_MODULE(module_console)
