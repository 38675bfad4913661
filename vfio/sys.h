/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_SYS_H
#define VFIO_SYS_H

/* System calls with the manners of this tree: a negative errno, EINTR retried, all or nothing. */

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lkvm/util.h"

/* What the ioctl returned (>= 0), or a negative errno. */
static inline int sys_ioctl(int fd, unsigned long req, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, req, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

/* 0, or a negative errno; -EIO if not all of @len bytes could be moved. */
static inline int sys_pread(int fd, void *buf, size_t len, u64 off)
{
	ssize_t ret;

	do {
		ret = pread(fd, buf, len, off);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return (size_t)ret == len ? 0 : -EIO;
}

static inline int sys_pwrite(int fd, const void *buf, size_t len, u64 off)
{
	ssize_t ret;

	do {
		ret = pwrite(fd, buf, len, off);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return (size_t)ret == len ? 0 : -EIO;
}

#endif
