/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm run --dump-dtb`: where the device tree goes. */

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/dtb.h"

static const char *file; /* NULL: not asked for */

static int parse_dump(const char *arg)
{
	file = arg;
	return 0;
}

/*
 * Is what @fd has open ours to write?  Only a device tree or an empty file is: whoever confuses options would lose a kernel
 * or a disk.  If not, says why.
 */
static const char *not_ours(int fd)
{
	struct stat st;
	fdt32_t magic;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "it is not a regular file";
	if (st.st_size && (pread(fd, &magic, sizeof(magic), 0) != sizeof(magic) ||
			   fdt32_to_cpu(magic) != FDT_MAGIC))
		return "it has something else than a device tree in it";
	return NULL;
}

/* @err, with a printed line. */
static int cannot(const char *why, int err)
{
	pr_err("--dump-dtb: cannot write %s: %s; name another file", file, why);
	return err;
}

/* What is there already; -ENOENT without a line if nothing is. */
static int open_existing(void)
{
	/* Neither a FIFO nor a tape drive keeps us waiting. */
	int fd = open(file, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const char *why;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : cannot(strerror(errno), -EINVAL);
	why = not_ours(fd);
	if (!why)
		return fd;
	close(fd);
	return cannot(why, -EINVAL);
}

/* Found before anything is made, as far as it can be known without making the file. */
static int dtb_validate(void)
{
	char *copy;
	int fd, err = 0;

	if (!file)
		return 0;
	fd = open_existing();
	if (fd >= 0)
		close(fd);
	if (fd != -ENOENT)
		return MIN(fd, 0);
	copy = strdup(file);
	if (!copy)
		err = ENOMEM;
	else if (!*file || access(dirname(copy), W_OK | X_OK) < 0)
		err = *file ? errno : ENOENT;
	free(copy);
	return err ? cannot(strerror(err), -err) : 0;
}

/* @made: it was not there. */
static int open_target(bool *made)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), err = errno;

	*made = fd >= 0;
	if (fd < 0 && err == EEXIST) {
		fd = open_existing();
		if (fd != -ENOENT) /* a link to nothing */
			return fd;
		err = ENOENT;
	}
	return fd < 0 ? cannot(strerror(err), -err) : fd;
}

static int write_file(const void *buf, size_t size)
{
	bool made;
	int fd = open_target(&made), err = 0;
	ssize_t n = -1;

	if (fd < 0)
		return fd;
	if (ftruncate(fd, 0) < 0 || (n = write(fd, buf, size)) < 0)
		err = errno;
	else if ((size_t)n < size)
		err = ENOSPC;
	if (close(fd) < 0 && !err)
		err = errno;
	if (err && made)
		unlink(file);
	return err ? cannot(strerror(err), -err) : 0;
}

/* Enough for 256 functions, a node for each CPU, and a command line of any length. */
static u32 size_for(const struct vm *vm)
{
	return 256 * KiB + vm->cpus * 96 + (vm->params ? strlen(vm->params) : 0);
}

static int dtb_setup(struct vm *vm)
{
	u32 size = size_for(vm);
	void *buf;
	int ret;

	if (!file)
		return 0;
	buf = malloc(size);
	if (!buf) {
		pr_err("out of memory for the device tree of --dump-dtb");
		return -ENOMEM;
	}
	ret = dtb__build(vm, buf, size);
	if (ret < 0) {
		pr_err("--dump-dtb: the machine does not fit a tree of %u KiB; use fewer devices",
		       size / 1024);
		goto out;
	}
	ret = write_file(buf, (size_t)ret);
out:
	free(buf);
	return ret;
}

static const struct option_def dtb_options[] = {
	{ .name = "dump-dtb",
	  .arg = "FILE",
	  .parse = parse_dump,
	  .help = "write the machine as a device tree to FILE" },
	{ .name = NULL },
};

static struct module dtb_module = {
	.name = "dtb",
	.level = MODULE_LATE, /* and no file is left of a machine that was not */
	.options = dtb_options,
	.validate = dtb_validate,
	.setup = dtb_setup,
};
LKVM_MODULE(dtb_module);
