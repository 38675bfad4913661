/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-rng (virtio 5.4): random bytes from the host's kernel.
 *
 * A device may give less than a buffer holds (virtio 5.4.6.2), and gives at most CHUNK: so a guest
 * that asks for gigabytes cannot hold the loop.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/random.h>

#include "lkvm/module.h"
#include "lkvm/virtio.h"
#include "lkvm/vm.h"
#include "virtio/iov.h"

#define CLASS_OTHER 0xff0000
#define CHUNK	    256 /* the kernel gives as much in one go, without EINTR */
#define TURN	    64	/* chains at a time */

static struct virtio_dev rng;
static bool asked;

static void notify(struct virtio_dev *dev, unsigned int q)
{
	struct virtq_chain c;
	u8 buf[CHUNK];
	int n;

	for (n = 0; n < TURN && virtq__pop(dev, q, &c) > 0; n++) {
		ssize_t len = MIN(c.in_len, (u64)CHUNK);

		if (len)
			len = getrandom(buf, len, 0);
		if (len < 0)
			len = 0; /* a kernel without it was found out at set-up */
		virtq__push(dev, q, c.head, iov__write(c.iov + c.nout, c.nin, buf, len));
	}
	explicit_bzero(buf, sizeof(buf)); /* they are the guest's secrets */
	if (n)
		virtq__interrupt(dev, q);
	if (n == TURN)
		virtq__again(dev, q);
}

static const struct virtio_ops rng_ops = {
	.device_id = VIRTIO_ID_RNG,
	.class_code = CLASS_OTHER,
	.nqueues = 1,
	.notify = notify,
};

static int parse(const char *arg)
{
	asked = true;
	return 0;
}

static int setup(struct vm *vm)
{
	u8 byte;
	int err;

	if (!asked)
		return 0;
	/* Waits, early in the host's life, for its pool; later calls never do. */
	while (getrandom(&byte, 1, 0) != 1) {
		if (errno == EINTR)
			continue;
		err = -errno;
		pr_err("--rng: getrandom: %s; the host's kernel is too old", strerror(-err));
		return err;
	}
	rng = (struct virtio_dev){ .ops = &rng_ops };
	return virtio_pci__add(vm, &rng, "virtio-rng");
}

static void teardown(struct vm *vm)
{
	if (rng.transport)
		virtio_pci__del(&rng);
}

static const struct option_def options[] = {
	{
	    .name = "rng",
	    .help = "a virtio source of random numbers",
	    .parse = parse,
	},
	{ 0 },
};

static struct module module_rng = {
	.name = "virtio-rng",
	.level = MODULE_DEVICE,
	.options = options,
	.setup = setup,
	.teardown = teardown,
};
LKVM_MODULE(module_rng)
