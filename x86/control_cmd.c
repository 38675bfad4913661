/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm list`, `stat`, `balloon`, `pause`, `resume` and `stop`. */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lkvm/cmd.h"
#include "lkvm/vm.h"
#include "x86/control.h"

#define GRACE	 10 /* seconds a guest has to power off */
#define PATIENCE 30 /* and those the machine then has to put everything away */

enum { OPT_NAME = 1, OPT_JSON = 2, OPT_FORCE = 4, OPT_GRACE = 8, OPT_WHAT = 16, OPT_SIZE = 32 };

struct options {
	const char *name, *size;
	const char *stat; /* the verb that answers */
	bool json, force;
	u64 grace;
};

static int parse_grace(const char *text, struct options *o)
{
	if (parse_uint(text, 0, CONTROL_GRACE_MAX, &o->grace) == 0)
		return 0;
	pr_err("--grace %s: give a number of seconds up to %d", text, CONTROL_GRACE_MAX);
	return VM_USAGE;
}

static int parse_size_arg(const char *text, struct options *o)
{
	u64 size;

	if (o->size) {
		pr_err("balloon: two sizes: %s and %s; give one", o->size, text);
		return VM_USAGE;
	}
	if (parse_mib(text, &size) < 0) {
		pr_err("balloon %s: give a size like 64, 64M or 1G", text);
		return VM_USAGE;
	}
	o->size = text;
	return 0;
}

/* One of --iommu and --balloon. */
static int parse_stat(const char *verb, struct options *o)
{
	if (strcmp(o->stat, "stat") && strcmp(o->stat, verb)) {
		pr_err("stat: give one of --iommu and --balloon");
		return VM_USAGE;
	}
	o->stat = verb;
	return 0;
}

/* The argument at @argv[*@i]; 0 or VM_USAGE with a printed line. */
static int parse_one(int argc, char **argv, int *i, unsigned int allowed, struct options *o)
{
	const char *text = argv[*i], *v = NULL;
	int ret;

	if (allowed & OPT_NAME) {
		ret = control__option("--name", argc, argv, i, &o->name);
		if (ret)
			return ret < 0 ? VM_USAGE : 0;
	}
	if (allowed & OPT_GRACE) {
		ret = control__option("--grace", argc, argv, i, &v);
		if (ret)
			return ret < 0 ? VM_USAGE : parse_grace(v, o);
	}
	if ((allowed & OPT_WHAT) && !strcmp(text, "--iommu"))
		return parse_stat("iommu-stat", o);
	if ((allowed & OPT_WHAT) && !strcmp(text, "--balloon"))
		return parse_stat("balloon-stat", o);
	if ((allowed & OPT_SIZE) && text[0] != '-')
		return parse_size_arg(text, o);
	if ((allowed & OPT_JSON) && !strcmp(text, "--json")) {
		o->json = true;
		return 0;
	}
	if ((allowed & OPT_FORCE) && !strcmp(text, "--force")) {
		o->force = true;
		return 0;
	}
	pr_err("%s: unexpected %s; use lkvm %s%s%s%s%s%s%s", argv[0], text, argv[0],
	       allowed & OPT_WHAT ? " [--iommu|--balloon]" : "",
	       allowed & OPT_NAME ? " [--name NAME]" : "", allowed & OPT_JSON ? " [--json]" : "",
	       allowed & OPT_GRACE ? " [--grace SECONDS]" : "",
	       allowed & OPT_FORCE ? " [--force]" : "", allowed & OPT_SIZE ? " [SIZE]" : "");
	return VM_USAGE;
}

/* 0 or VM_USAGE with a printed line; @allowed is a set of the options above. */
static int parse(int argc, char **argv, unsigned int allowed, struct options *o)
{
	int ret = 0;

	*o = (struct options){ .grace = GRACE, .stat = "stat" };
	for (int i = 1; i < argc && ret == 0; i++)
		ret = parse_one(argc, argv, &i, allowed, o);
	return ret;
}

struct list {
	bool json;
	unsigned int n;
};

/* All that is printed is what control__is_name() lets through, or one word of ours: JSON needs no escapes. */
static void print_machine(const char *name, int fd, void *arg)
{
	struct list *list = arg;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	char state[32];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return;
	/* A process that was stopped, or that waits for its disk, does not answer. */
	if (!control__ask(fd, "state", state, sizeof(state)))
		snprintf(state, sizeof(state), "stuck");
	if (list->json) {
		printf("%s{\"name\": \"%s\", \"pid\": %d, \"state\": \"%s\"}",
		       list->n++ ? ", " : "[", name, (int)cred.pid, state);
		return;
	}
	if (!list->n++)
		printf("%-8s %-9s %s\n", "PID", "STATE", "NAME");
	printf("%-8d %-9s %s\n", (int)cred.pid, state, name);
}

int cmd_list(int argc, char **argv)
{
	struct options o;
	struct list list = { 0 };
	int ret = parse(argc, argv, OPT_JSON, &o);

	if (ret)
		return ret;
	list.json = o.json;
	ret = control__for_each(print_machine, &list);
	if (ret < 0)
		return VM_HOST;
	if (o.json)
		printf("%s]\n", list.n ? "" : "[");
	return 0;
}

int cmd_stat(int argc, char **argv)
{
	struct options o;
	int ret = parse(argc, argv, OPT_WHAT | OPT_NAME | OPT_JSON, &o);

	return ret ? ret : control__request(o.name, o.stat, o.json ? "json" : NULL, NULL);
}

int cmd_balloon(int argc, char **argv)
{
	struct options o;
	int ret = parse(argc, argv, OPT_NAME | OPT_SIZE, &o);

	return ret ? ret : control__request(o.name, "balloon", o.size, NULL);
}

int cmd_pause(int argc, char **argv)
{
	struct options o;
	int ret = parse(argc, argv, OPT_NAME, &o);

	return ret ? ret : control__request(o.name, "pause", NULL, NULL);
}

int cmd_resume(int argc, char **argv)
{
	struct options o;
	int ret = parse(argc, argv, OPT_NAME, &o);

	return ret ? ret : control__request(o.name, "resume", NULL, NULL);
}

/* Ends when the machine has ended, so that what follows finds its files and its name free. */
int cmd_stop(int argc, char **argv)
{
	struct options o;
	struct pollfd p = { .events = POLLIN };
	char grace[24];
	int ret = parse(argc, argv, OPT_NAME | OPT_GRACE | OPT_FORCE, &o);

	if (ret)
		return ret;
	snprintf(grace, sizeof(grace), "%llu", o.force ? 0 : o.grace);
	ret = control__request(o.name, "stop", grace, &p.fd);
	/* Where the process cannot be watched (Linux before 5.3), it is not waited for. */
	if (ret == 0 && p.fd >= 0 &&
	    poll(&p, 1, (int)((o.force ? 0 : o.grace) + PATIENCE) * 1000) == 0) {
		pr_err("the machine is still there; end its process (lkvm list) with kill -9");
		ret = VM_HOST;
	}
	if (p.fd >= 0)
		close(p.fd);
	return ret;
}
