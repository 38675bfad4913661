/* SPDX-License-Identifier: GPL-2.0-only */

/* Who has the terminal, and the serial port's output when that is another device. */

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "lkvm/term.h"

#define LINE_SIZE 256 /* less than PIPE_BUF, so that a ready pipe takes a line at once */

static bool taken;
static u8 line[LINE_SIZE];
static u32 len;

void term__take(void)
{
	taken = true;
}

bool term__taken(void)
{
	return taken;
}

void term__err_putc(u8 c)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	u32 done = 0;

	line[len++] = c;
	if (c != '\n' && len < LINE_SIZE)
		return;
	while (done < len && poll(&p, 1, 0) > 0) {
		ssize_t n = write(STDERR_FILENO, line + done, len - done);

		if (n > 0)
			done += (u32)n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	len = 0;
}
