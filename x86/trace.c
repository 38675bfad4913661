/* SPDX-License-Identifier: GPL-2.0-only */

/* Trace events: which are on, and how one is printed. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "lkvm/trace.h"
#include "lkvm/vm.h"

bool trace_on[TRACE_MAX];

static const char *const event_names[TRACE_MAX] = {
#define X(name, help) [TRACE_##name] = #name,
	TRACE_EVENTS(X)
#undef X
};

static const char *const event_help[TRACE_MAX] = {
#define X(name, help) [TRACE_##name] = help,
	TRACE_EVENTS(X)
#undef X
};

void trace__emit(const char *event, const char *fmt, ...)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "trace: %s ", event);
	int room = (int)sizeof(line) - n - 1;
	va_list ap;
	int m;

	va_start(ap, fmt);
	m = vsnprintf(line + n, room + 1, fmt, ap);
	va_end(ap);
	n += m < 0 ? 0 : MIN(m, room - 1);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody left to tell */
}

/* Does @name match the @len bytes at @pat: itself, a prefix with *, or "all"? */
static bool event_matches(const char *name, const char *pat, size_t len)
{
	if (len == 3 && !memcmp(pat, "all", 3))
		return true;
	if (len > 0 && pat[len - 1] == '*')
		return !strncmp(name, pat, len - 1);
	return strlen(name) == len && !memcmp(name, pat, len);
}

static void print_unknown(const char *pat, size_t len)
{
	char known[512];
	size_t n = 0;

	for (unsigned int i = 0; i < TRACE_MAX && n < sizeof(known); i++)
		n += snprintf(known + n, sizeof(known) - n, " %s", event_names[i]);
	pr_err("--trace: no event \"%.*s\"; known are:%s, all", (int)len, pat, known);
}

int trace__enable(const char *list)
{
	for (;;) {
		size_t len = strcspn(list, ",");
		bool found = false;

		for (unsigned int i = 0; i < TRACE_MAX; i++) {
			if (event_matches(event_names[i], list, len)) {
				trace_on[i] = true;
				found = true;
			}
		}
		if (!found) {
			print_unknown(list, len);
			return -EINVAL;
		}
		if (!list[len])
			return 0;
		list += len + 1;
	}
}

static int parse_trace(const char *arg)
{
	if (strcmp(arg, "help"))
		return trace__enable(arg);
	for (unsigned int i = 0; i < TRACE_MAX; i++)
		printf("  %-14s%s\n", event_names[i], event_help[i]);
	exit(flush_stdout() < 0 ? VM_HOST : 0);
}

static const struct option_def trace_options[] = {
	{ .name = "trace",
	  .arg = "EVENT[,...]",
	  .parse = parse_trace,
	  .help = "print these events on stderr; NAME* and all work; help lists them" },
	{ .name = NULL },
};

static struct module trace_module = {
	.name = "trace",
	.level = MODULE_CORE,
	.options = trace_options,
};
LKVM_MODULE(trace_module);
