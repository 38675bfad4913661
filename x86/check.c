/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm check`: device nodes, and what the host has for a guest's RAM. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lkvm/check.h"
#include "lkvm/module.h"

/* A root, so that tests can bring their own tree. */
static const char *mm_root = "/sys/kernel/mm";

static void say_node(const char *label, const char *path, int err, const char *module,
		     const char *use)
{
	if (!err)
		printf("%s: yes (%s)\n", label, path);
	else if (err == EACCES || err == EPERM)
		printf("%s: no: %s: %s; for %s run as root, or let yourself open it\n", label, path,
		       strerror(err), use);
	else
		printf("%s: no: %s: %s; for %s: modprobe %s\n", label, path, strerror(err), use,
		       module);
}

bool check__node(const char *label, const char *path, const char *module, const char *use)
{
	/* Opened, because udev makes some nodes before their module is there, and opening loads it. */
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	say_node(label, path, fd < 0 ? errno : 0, module, use);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The first line of @root/@name into @text, empty if there is none. */
static bool read_line(const char *name, char *text, int size)
{
	char path[256];
	FILE *f;
	bool ok;

	*text = '\0';
	snprintf(path, sizeof(path), "%s/%s", mm_root, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(text, size, f);
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return ok;
}

static u64 read_number(const char *name)
{
	char text[32];

	return read_line(name, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

/* The kernel writes its choice in brackets: "always [madvise] never". */
static void check_transparent(void)
{
	char text[64];

	if (!read_line("transparent_hugepage/enabled", text, sizeof(text)))
		printf(
		    "transparent huge pages: no: the host's kernel has none; guests are slower; it "
		    "needs CONFIG_TRANSPARENT_HUGEPAGE, or use --hugepages\n");
	else if (strstr(text, "[never]"))
		printf("transparent huge pages: no: switched off; guests are slower; as root: echo "
		       "madvise > %s/transparent_hugepage/enabled\n",
		       mm_root);
	else
		printf("transparent huge pages: yes (%s)\n",
		       strstr(text, "[always]") ? "always" : "madvise");
}

static void check_reserved(void)
{
	u64 all = read_number("hugepages/hugepages-2048kB/nr_hugepages");
	u64 left = read_number("hugepages/hugepages-2048kB/free_hugepages");
	u64 promised = read_number("hugepages/hugepages-2048kB/resv_hugepages");

	left -= MIN(left, promised);
	if (left)
		printf("reserved huge pages: yes (%llu of %llu MiB free)\n", 2 * left, 2 * all);
	else
		printf("reserved huge pages: no: %s; for --hugepages, as root: sysctl "
		       "vm.nr_hugepages=N, one for 2 MiB of RAM\n",
		       all ? "all are in use" : "none are set aside");
}

/* All of this is optional. */
static bool check_ram(void)
{
	check_transparent();
	check_reserved();
	return true;
}

static struct module check_module = {
	.name = "vm-check", /* behind "vm" */
	.level = MODULE_CORE,
	.check = check_ram,
};
LKVM_MODULE(check_module)
