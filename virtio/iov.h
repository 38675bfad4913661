/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_IOV_H
#define VIRTIO_IOV_H

/*
 * The pieces of a chain as one run of bytes: requests are framed by byte counts, never by
 * descriptors (virtio 2.7.4).  Lengths are capped at what the pieces hold; the number of bytes done
 * is returned.
 */

#include <sys/uio.h>

#include "lkvm/util.h"

u64 iov__len(const struct iovec *iov, int n);
/* Copy from the pieces; each byte of the guest's is read once. */
u64 iov__read(const struct iovec *iov, int n, void *buf, u64 len);
u64 iov__write(const struct iovec *iov, int n, const void *buf, u64 len);
/* Drop @len bytes in front. */
u64 iov__skip(struct iovec **iov, int *n, u64 len);

#endif
