/* SPDX-License-Identifier: GPL-2.0-only */

/* The one way to talk to people, and number parsing. */

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lkvm/util.h"

static bool log_quiet;

/* One write() per line, so that the lines of several threads do not mix. */
static void __printf(2, 0) log_emit(const char *prefix, const char *fmt, va_list ap)
{
	char line[PATH_MAX + 512]; /* a message begins with a name, and ends with the remedy */
	int n = snprintf(line, sizeof(line), "lkvm: %s", prefix);
	int room = (int)sizeof(line) - n - 1;
	int m = vsnprintf(line + n, room + 1, fmt, ap);

	n += m < 0 ? 0 : MIN(m, room - 1);
	/* A name with a line end or an escape sequence in it is still one line, and nothing else. */
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody left to tell */
}

void pr_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_emit("", fmt, ap);
	va_end(ap);
}

void pr_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_emit("warning: ", fmt, ap);
	va_end(ap);
}

void pr_info(const char *fmt, ...)
{
	va_list ap;

	if (log_quiet)
		return;
	va_start(ap, fmt);
	log_emit("", fmt, ap);
	va_end(ap);
}

void pr__set_quiet(bool on)
{
	log_quiet = on;
}

void pr_guest(struct ratelimit *rl, const char *fmt, ...)
{
	struct timespec ts;
	va_list ap;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (rl->window != (u64)ts.tv_sec) {
		rl->window = (u64)ts.tv_sec;
		rl->printed = 0;
	}
	if (rl->printed >= 10) {
		rl->dropped++;
		return;
	}
	if (rl->dropped) {
		pr_warn("%u messages like the next one were suppressed", rl->dropped);
		rl->dropped = 0;
	}
	rl->printed++;
	va_start(ap, fmt);
	log_emit("guest: ", fmt, ap);
	va_end(ap);
}

/* The digits at @s; *@end is what follows them. */
static int parse_number(const char *s, u64 *out, const char **end)
{
	char *e;
	int base = 10;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	/* strtoull() accepts blanks, signs and a second 0x; a number here starts with a digit. */
	if (!strchr(base == 16 ? "0123456789abcdefABCDEF" : "0123456789", *s) || !*s)
		return -EINVAL;
	if (base == 16 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &e, base);
	if (errno)
		return -errno;
	*end = e;
	return 0;
}

int parse_size(const char *s, u64 *out)
{
	const char *end;
	u64 v, unit = 1;
	int ret = parse_number(s, &v, &end);

	if (ret < 0)
		return ret;
	switch (*end) {
	case 'K':
	case 'k':
		unit = KiB;
		break;
	case 'M':
	case 'm':
		unit = MiB;
		break;
	case 'G':
	case 'g':
		unit = GiB;
		break;
	}
	if (unit != 1)
		end++;
	if (*end)
		return -EINVAL;
	if (__builtin_mul_overflow(v, unit, &v))
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_uint(const char *s, u64 min, u64 max, u64 *out)
{
	const char *end;
	u64 v;
	int ret = parse_number(s, &v, &end);

	if (ret < 0)
		return ret;
	if (*end)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_mib(const char *s, u64 *out)
{
	bool bare = *s && !strchr("KMGkmg", s[strlen(s) - 1]);
	u64 v;
	int ret = parse_size(s, &v);

	if (ret < 0)
		return ret;
	if (bare && __builtin_mul_overflow(v, MiB, &v))
		return -ERANGE;
	*out = v;
	return 0;
}

int flush_stdout(void)
{
	int err;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	err = errno ? -errno : -EIO;
	pr_err("cannot write to the standard output: %s", strerror(-err));
	return err;
}

void raise_limit(int resource)
{
	struct rlimit r;

	if (getrlimit(resource, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	/* If it fails the old limit may still do; running into it has its own message. */
	setrlimit(resource, &r);
}
