/* SPDX-License-Identifier: GPL-2.0-only */

/* lkvm: the subcommands. */

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lkvm/cmd.h"
#include "lkvm/util.h"
#include "lkvm/vm.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *args;
	const char *help;
	void (*more)(void); /* the rest of its usage; may be NULL */
} commands[] = {
	{ "run", cmd_run, "[OPTION]... [KERNEL]", "boot a kernel", cmd_run__usage },
	{ "list", cmd_list, "[--json]", "list the running machines", NULL },
	{ "stop", cmd_stop, "[--name NAME] [--grace SECONDS] [--force]",
	  "press a machine's power button, and end it by force after SECONDS (default 10)", NULL },
	{ "pause", cmd_pause, "[--name NAME]", "stop the vCPUs of a machine", NULL },
	{ "resume", cmd_resume, "[--name NAME]", "let them go on", NULL },
	{ "stat", cmd_stat, "[--iommu|--balloon] [--name NAME] [--json]",
	  "state and counters of a machine, its vIOMMU, or its guest's memory", NULL },
	{ "balloon", cmd_balloon, "[--name NAME] [SIZE]",
	  "have a guest give up SIZE of its memory (MiB, or K, M, G); show it", NULL },
	{ "debug", cmd_debug, "[--name NAME] --WHAT [ARG]",
	  "look into a machine, send it an NMI or a SysRq", cmd_debug__usage },
	{ "check", cmd_check, "", "tell what this host offers, and how to get what is missing",
	  NULL },
	{ "version", cmd_version, "", "print the version", NULL },
	{ "help", cmd_help, "[COMMAND]", "print this, or how to use COMMAND", NULL },
};

static const struct command *find(const char *name)
{
	struct nearest near = { .word = name };

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name))
			return &commands[i];
		nearest__offer(&near, commands[i].name);
	}
	pr_err("unknown command %s;%s%s%s see lkvm help", name, near.best ? " did you mean " : "",
	       near.best ? near.best : "", near.best ? "?" : "");
	return NULL;
}

static void usage(const struct command *c)
{
	printf("Usage: lkvm %s%s%s\n%s\n", c->name, c->args[0] ? " " : "", c->args, c->help);
	if (c->more)
		c->more();
}

static int cmd_help(int argc, char **argv)
{
	const struct command *c;

	if (argc > 2) {
		pr_err("help: unexpected %s; use lkvm help [COMMAND]", argv[2]);
		return VM_USAGE;
	}
	if (argc > 1) {
		c = find(argv[1]);
		if (!c)
			return VM_USAGE;
		usage(c);
		return 0;
	}
	printf("Usage: lkvm COMMAND [OPTION]...\n\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].help);
	printf("\nlkvm help COMMAND tells more.\n");
	return 0;
}

static int cmd_version(int argc, char **argv)
{
	if (argc > 1) {
		pr_err("version: unexpected %s; it takes nothing", argv[1]);
		return VM_USAGE;
	}
	printf("lkvm %s\n", LKVM_VERSION);
	return 0;
}

/* The value of an option, or a payload's own, may be --help as well: `run` looks for it itself. */
static bool wants_help(const struct command *c, int argc, char **argv)
{
	if (c->fn == cmd_run)
		return false;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

/*
 * Whoever starts us may have closed 0, 1 or 2.  The next file to be opened, a disk perhaps, would have that
 * number, and our messages would go into it.
 */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *c;
	int status = 0;

	open_standard_files();
	/* A file that may not grow is the error of one call, not our end. */
	signal(SIGXFSZ, SIG_IGN);
	/* What is large goes back to the kernel when it is freed: glibc keeps more the larger the largest was. */
	mallopt(M_MMAP_THRESHOLD, 128 * KiB);
	if (!*name) {
		pr_err("no command given; see lkvm help");
		return VM_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	c = find(name);
	if (!c)
		return VM_USAGE;
	if (wants_help(c, argc - 1, argv + 1))
		usage(c);
	else
		status = c->fn(argc - 1, argv + 1);
	return status == 0 && flush_stdout() < 0 ? VM_HOST : status;
}
