/* SPDX-License-Identifier: GPL-2.0-only */

/* Files on their way into guest memory. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lkvm/mem.h"
#include "x86/boot.h"

int boot_file__open(struct boot_file *f, const char *path, const char *what)
{
	int err;

	*f = (struct boot_file){ .path = path, .what = what };
	/* A FIFO must not block us before we see that it is none of ours. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0) {
		err = -errno;
		pr_err("%s %s: cannot open: %s; %s", what, path, strerror(-err),
		       err == -EACCES ? "make it readable, or run as root" : "check the path");
		return err;
	}
	if (fstat(f->fd, &f->st) < 0) {
		err = -errno;
		pr_err("%s %s: cannot stat: %s", what, path, strerror(-err));
		goto err_close;
	}
	if (!S_ISREG(f->st.st_mode)) {
		err = -EINVAL;
		pr_err("%s %s: is not a regular file; give one", what, path);
		goto err_close;
	}
	f->size = f->st.st_size;
	return 0;

err_close:
	boot_file__close(f);
	return err;
}

void boot_file__close(struct boot_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

int boot_file__read(const struct boot_file *f, u64 off, void *buf, u64 len)
{
	u64 done = 0;
	ssize_t n;
	int err;

	if (off > f->size || len > f->size - off) {
		pr_err("%s %s: is truncated: wants %llu bytes at %llu, has %llu; copy or "
		       "build it again",
		       f->what, f->path, len, off, f->size);
		return -EINVAL;
	}
	while (done < len) {
		n = pread(f->fd, (u8 *)buf + done, len - done, off + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = -errno;
			pr_err("%s %s: cannot read: %s", f->what, f->path, strerror(-err));
			return err;
		}
		if (!n) {
			pr_err("%s %s: became shorter while it was read", f->what, f->path);
			return -EINVAL;
		}
		done += n;
	}
	return 0;
}

int boot_file__load(const struct boot_file *f, u64 off, struct guest_mem *mem, u64 gpa, u64 len)
{
	void *p;

	if (!len)
		return 0;
	p = mem__ptr(mem, gpa, len);
	if (!p) {
		pr_err("%s %s: does not fit into RAM: %llu KiB at %#llx; use more --mem", f->what,
		       f->path, (len + KiB - 1) / KiB, gpa);
		return -EINVAL;
	}
	return boot_file__read(f, off, p, len);
}
