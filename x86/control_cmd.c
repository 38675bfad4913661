/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm list`, `stat`, `pause`, `resume` and `stop`. */

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

enum { OPT_NAME = 1, OPT_JSON = 2, OPT_FORCE = 4, OPT_GRACE = 8, OPT_IOMMU = 16 };

struct options {
	const char *name;
	bool json, force, iommu;
	u64 grace;
};

/* 0 or VM_USAGE with a printed line; @allowed is a set of the options above. */
static int parse(int argc, char **argv, unsigned int allowed, struct options *o)
{
	*o = (struct options){ .grace = GRACE };
	for (int i = 1; i < argc; i++) {
		const char *text = argv[i], *v;

		if ((allowed & OPT_JSON) && !strcmp(text, "--json")) {
			o->json = true;
		} else if ((allowed & OPT_IOMMU) && !strcmp(text, "--iommu")) {
			o->iommu = true;
		} else if ((allowed & OPT_FORCE) && !strcmp(text, "--force")) {
			o->force = true;
		} else if ((allowed & OPT_NAME) &&
			   (v = control__option("--name", argc, argv, &i))) {
			o->name = v;
		} else if ((allowed & OPT_GRACE) &&
			   (v = control__option("--grace", argc, argv, &i))) {
			if (parse_uint(v, 0, CONTROL_GRACE_MAX, &o->grace) == 0)
				continue;
			pr_err("--grace %s: give a number of seconds up to %d", v,
			       CONTROL_GRACE_MAX);
			return VM_USAGE;
		} else {
			pr_err("%s: unexpected %s; use lkvm %s%s%s%s%s%s", argv[0], text, argv[0],
			       allowed & OPT_IOMMU ? " [--iommu]" : "",
			       allowed & OPT_NAME ? " [--name NAME]" : "",
			       allowed & OPT_JSON ? " [--json]" : "",
			       allowed & OPT_GRACE ? " [--grace SECONDS]" : "",
			       allowed & OPT_FORCE ? " [--force]" : "");
			return VM_USAGE;
		}
	}
	return 0;
}

struct list {
	bool json;
	unsigned int n;
};

/* A name is a file's, so it can be anything. */
static void print_json(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < ' ')
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void print_machine(const char *name, int fd, void *arg)
{
	struct list *list = arg;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return;
	if (!list->json) {
		printf("%-8d%s\n", (int)cred.pid, name);
		return;
	}
	printf("%s{\"name\": ", list->n++ ? ", " : "");
	print_json(name);
	printf(", \"pid\": %d}", (int)cred.pid);
}

int cmd_list(int argc, char **argv)
{
	struct options o;
	struct list list = { 0 };
	int ret = parse(argc, argv, OPT_JSON, &o);

	if (ret)
		return ret;
	list.json = o.json;
	if (o.json)
		putchar('[');
	ret = control__for_each(print_machine, &list);
	if (o.json)
		printf("]\n");
	return ret < 0 ? VM_HOST : 0;
}

int cmd_stat(int argc, char **argv)
{
	struct options o;
	int ret = parse(argc, argv, OPT_NAME | OPT_JSON | OPT_IOMMU, &o);

	return ret ? ret
		   : control__request(o.name, o.iommu ? "iommu-stat" : "stat",
				      o.json ? "json" : NULL, NULL);
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
