/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm debug`: what it can ask is known without a machine, so that mistakes are found before one is asked. */

#include <stdio.h>
#include <string.h>

#include "lkvm/cmd.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/control.h"

#define COLUMN 36

static void for_each(void (*fn)(const struct control_verb *v, void *arg), void *arg)
{
	for (const struct module *m = module__first(); m; m = m->next)
		for (const struct control_verb *v = m->verbs; v && v->name; v++)
			if (v->help)
				fn(v, arg);
}

static void print_verb(const struct control_verb *v, void *arg)
{
	int n = printf("  --%s%s%s", v->name, v->arg ? " " : "", v->arg ? v->arg : "");

	printf("%*s%s\n", MAX(COLUMN - n, 2), "", v->help);
}

void cmd_debug__usage(void)
{
	printf("\n");
	for_each(print_verb, NULL);
}

static void offer(const struct control_verb *v, void *arg)
{
	nearest__offer(arg, v->name);
}

/* 0, or VM_USAGE with a printed line. */
static int check(const char *verb, const char *arg)
{
	const struct control_verb *v = control__verb(verb);
	struct nearest near = { .word = verb };

	if (!v || !v->help) {
		for_each(offer, &near);
		pr_err("debug: there is no --%s;%s%s%s see lkvm debug --help", verb,
		       near.best ? " did you mean --" : "", near.best ? near.best : "",
		       near.best ? "?" : "");
		return VM_USAGE;
	}
	if (arg && !v->arg) {
		pr_err("debug: --%s takes no argument (\"%s\")", verb, arg);
		return VM_USAGE;
	}
	if (!arg && v->arg && v->arg[0] != '[') {
		pr_err("debug: --%s needs an argument: %s", verb, v->arg);
		return VM_USAGE;
	}
	return 0;
}

/* The same for the argument of a verb that can check it. */
static int check_arg(const char *verb, const char *arg)
{
	const struct control_verb *v = control__verb(verb);
	char line[CONTROL_LINE] = "", *end;
	FILE *out;
	bool good;

	if (!arg || !v->check)
		return 0;
	out = fmemopen(line, sizeof(line) - 1, "w"); /* a longer one is cut */
	if (!out)
		return 0; /* the machine will check it */
	good = v->check(arg, out);
	fclose(out);
	end = strrchr(line, '\n');
	if (end)
		*end = 0;
	if (!good)
		pr_err("debug: %s", line + strlen("error: "));
	return good ? 0 : VM_USAGE;
}

int cmd_debug(int argc, char **argv)
{
	const char *name = NULL, *verb = NULL, *arg = NULL;

	for (int i = 1; i < argc; i++) {
		int ret = control__option("--name", argc, argv, &i, &name);
		char *eq;

		if (ret < 0)
			return VM_USAGE;
		if (ret > 0)
			continue;
		if (!verb && !strncmp(argv[i], "--", 2) && argv[i][2]) {
			verb = argv[i] + 2;
			eq = strchr(argv[i], '=');
			if (eq) {
				*eq = 0;
				arg = eq + 1;
			}
		} else if (verb && !arg && argv[i][0] != '-') {
			arg = argv[i];
		} else {
			pr_err("debug: unexpected %s; use lkvm debug [--name NAME] --WHAT [ARG]",
			       argv[i]);
			return VM_USAGE;
		}
	}
	if (!verb) {
		pr_err("debug: say what; lkvm debug --help lists it");
		return VM_USAGE;
	}
	if (check(verb, arg) || check_arg(verb, arg))
		return VM_USAGE;
	return control__request(name, verb, arg, NULL);
}
