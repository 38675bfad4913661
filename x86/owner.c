/* SPDX-License-Identifier: GPL-2.0-only */

/* Whose directories files are made in: sudo and su leave HOME and XDG_* as they were. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lkvm/util.h"

bool parent_is_foreign(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = strndup(path, slash > path ? slash - path : 1);
	struct stat st;
	bool foreign = geteuid() == 0 && parent && stat(parent, &st) == 0 && st.st_uid != 0;

	free(parent);
	return foreign;
}
