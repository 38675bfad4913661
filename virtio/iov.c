/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "virtio/iov.h"

u64 iov__len(const struct iovec *iov, int n)
{
	u64 len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

u64 iov__read(const struct iovec *iov, int n, void *buf, u64 len)
{
	u64 done = 0;

	for (int i = 0; i < n && done < len; i++) {
		u64 step = MIN(iov[i].iov_len, len - done);

		memcpy((u8 *)buf + done, iov[i].iov_base, step);
		done += step;
	}
	return done;
}

u64 iov__write(const struct iovec *iov, int n, const void *buf, u64 len)
{
	u64 done = 0;

	for (int i = 0; i < n && done < len; i++) {
		u64 step = MIN(iov[i].iov_len, len - done);

		memcpy(iov[i].iov_base, (const u8 *)buf + done, step);
		done += step;
	}
	return done;
}

u64 iov__skip(struct iovec **iov, int *n, u64 len)
{
	u64 done = 0;

	while (*n) {
		struct iovec *v = *iov;
		u64 step = MIN(v->iov_len, len - done);

		v->iov_base = (u8 *)v->iov_base + step;
		v->iov_len -= step;
		done += step;
		if (v->iov_len) /* not used up: enough was dropped */
			break;
		++*iov;
		--*n;
	}
	return done;
}
