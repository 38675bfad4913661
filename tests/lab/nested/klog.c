/* SPDX-License-Identifier: GPL-2.0-only */

/* The kernel's log by /dev/kmsg, of which each read gives one message. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nested.h"

#define WAIT_MS 600
#define STEP_MS 10

static int log_fd = -1;

static int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		perror("nested: /dev/kmsg");
		exit(1);
	}
	return fd;
}

/* The next message's text; false if there is none yet. */
static bool next(int fd, char *line, size_t size)
{
	for (;;) {
		ssize_t n = read(fd, line, size - 1);

		if (n > 0) {
			const char *text;

			line[n] = '\0';
			line[strcspn(line, "\n")] = '\0';
			text = strchr(line, ';');
			if (text)
				memmove(line, text + 1, strlen(text));
			return true;
		}
		if (n == 0 || errno != EPIPE) /* EPIPE: some were lost to newer ones */
			return false;
	}
}

void klog__mark(void)
{
	if (log_fd < 0)
		log_fd = open_log();
	if (lseek(log_fd, 0, SEEK_END) < 0)
		perror("nested: /dev/kmsg");
}

static bool contains(const char *line, const char *text, va_list more)
{
	for (; text; text = va_arg(more, const char *))
		if (!strstr(line, text))
			return false;
	return true;
}

bool klog__has(const char *text, ...)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	char line[1024];

	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		while (next(log_fd, line, sizeof(line))) {
			va_list more;
			bool found;

			va_start(more, text);
			found = contains(line, text, more);
			va_end(more);
			if (found)
				return true;
			if (strstr(line, "fault reason"))
				printf("# logged: %s\n", line);
		}
		nanosleep(&step, NULL);
	}
	return false;
}

bool klog__healthy(void)
{
	static const char *const bad[] = { "WARNING:",
					   "BUG:",
					   "Oops",
					   "Call Trace",
					   "rcu: INFO",
					   "Invalidation Queue Error",
					   "Invalidation Time-out" };
	int fd = open_log();
	char line[1024];
	bool good = true;

	while (next(fd, line, sizeof(line)))
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
			if (strstr(line, bad[i])) {
				printf("# logged: %s\n", line);
				good = false;
			}
	close(fd);
	return good;
}
