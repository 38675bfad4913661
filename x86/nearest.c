/* SPDX-License-Identifier: GPL-2.0-only */

/* "Did you mean": the name that is nearest to a mistyped one. */

#include <string.h>

#include "lkvm/util.h"

#define LENGTH_MAX 32

/*
 * The slips between @a and @b, by dynamic programming: row i of the table tells how many lead from the first i
 * letters of @a to each beginning of @b.  Three rows do, because a swap looks back by two.
 */
static unsigned int slips(const char *a, const char *b)
{
	unsigned int rows[3][LENGTH_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > LENGTH_MAX || m > LENGTH_MAX)
		return LENGTH_MAX;
	for (size_t i = 0; i <= n; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		for (size_t j = 0; j <= m; j++) {
			if (!i || !j) {
				row[j] = (unsigned int)(i + j);
				continue;
			}
			row[j] = MIN(up[j], row[j - 1]) + 1;
			row[j] = MIN(row[j], up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], up2[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

void nearest__offer(struct nearest *n, const char *name)
{
	unsigned int d = slips(n->word, name);

	/* Not more than a third of it is wrong; of short ones, one letter. */
	if (d > MAX(strlen(name) / 3, 1) || d >= strlen(name) || (n->best && d >= n->slips))
		return;
	n->best = name;
	n->slips = d;
}
