/* SPDX-License-Identifier: GPL-2.0-only */

/* lkvm: the subcommands. */

#include <stdio.h>
#include <string.h>

#include "lkvm/cmd.h"
#include "lkvm/util.h"
#include "lkvm/vm.h"

static int cmd_help(int argc, char **argv);

static int cmd_version(int argc, char **argv)
{
	printf("lkvm %s\n", LKVM_VERSION);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "boot a kernel (lkvm run --help lists the options)" },
	{ "list", cmd_list, "list the running machines: [--json]" },
	{ "stat", cmd_stat,
	  "state and counters of a machine, or of its vIOMMU: [--iommu] [--name NAME] [--json]" },
	{ "pause", cmd_pause, "stop the vCPUs of a machine: [--name NAME]" },
	{ "resume", cmd_resume, "let them go on: [--name NAME]" },
	{ "stop", cmd_stop,
	  "power a machine off, by force after a while: [--name NAME] [--grace SECONDS] "
	  "[--force]" },
	{ "debug", cmd_debug, "ask a machine: [--name NAME] --WHAT [ARG]; --help lists WHAT" },
	{ "check", cmd_check, "tell what this host offers" },
	{ "version", cmd_version, "print the version" },
	{ "help", cmd_help, "print this" },
};

static int cmd_help(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "run")) {
		cmd_run__usage();
		return 0;
	}
	printf("Usage: lkvm COMMAND [OPTION]...\n\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].help);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].fn(argc - 1, argv + 1);
	if (*name)
		pr_err("unknown command %s; see lkvm help", name);
	else
		pr_err("no command given; see lkvm help");
	return VM_USAGE;
}
