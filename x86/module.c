/* SPDX-License-Identifier: GPL-2.0-only */

/* The list of modules, kept in set-up order. */

#include <string.h>

#include "lkvm/module.h"

static struct module *modules;

/* By level, then by name: the order does not depend on how the binary was linked. */
static bool before(const struct module *a, const struct module *b)
{
	if (a->level != b->level)
		return a->level < b->level;
	return strcmp(a->name, b->name) < 0;
}

void module__register(struct module *m)
{
	struct module **p = &modules;

	while (*p && before(*p, m))
		p = &(*p)->next;
	m->next = *p;
	*p = m;
}

struct module *module__first(void)
{
	return modules;
}
