/* SPDX-License-Identifier: GPL-2.0-only */

/* The command line of `lkvm run`, out of the modules' option tables. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lkvm/module.h"
#include "x86/options.h"

#define HELP_COLUMN 30

static const struct option_def *find_option(bool (*match)(const struct option_def *o,
							  const char *text, size_t len),
					    const char *text, size_t len)
{
	for (const struct module *m = module__first(); m; m = m->next)
		for (const struct option_def *o = m->options; o && o->name; o++)
			if (match(o, text, len))
				return o;
	return NULL;
}

static bool is_long(const struct option_def *o, const char *text, size_t len)
{
	return strlen(o->name) == len && !memcmp(o->name, text, len);
}

static bool is_letter(const struct option_def *o, const char *text, size_t len)
{
	return o->letter && o->letter == *text;
}

static void say_unknown(const char *text)
{
	char name[64];
	struct nearest near = { .word = name };

	if (text[1] == '-') {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + 2, "="), text + 2);
		for (const struct module *m = module__first(); m; m = m->next)
			for (const struct option_def *o = m->options; o && o->name; o++)
				nearest__offer(&near, o->name);
	}
	if (near.best)
		pr_err("run: unknown option %s; did you mean --%s? see lkvm run --help", text,
		       near.best);
	else
		pr_err("run: unknown option %s; see lkvm run --help", text);
}

/* The option at @argv[*@i], with its value from there or from the next argument. */
static int parse_one(int argc, char **argv, int *i)
{
	const char *text = argv[*i], *value = NULL;
	const struct option_def *o;

	if (text[1] == '-') {
		size_t len = strcspn(text + 2, "=");

		o = find_option(is_long, text + 2, len);
		if (text[2 + len] == '=')
			value = text + 2 + len + 1;
	} else {
		o = find_option(is_letter, text + 1, 1);
		if (text[2])
			value = text + 2;
	}
	if (!o) {
		say_unknown(text);
		return -EINVAL;
	}
	if (!o->arg && value) {
		pr_err("--%s takes no value (\"%s\")", o->name, value);
		return -EINVAL;
	}
	if (o->arg && !value) {
		if (*i + 1 >= argc) {
			pr_err("--%s needs a value: %s", o->name, o->arg);
			return -EINVAL;
		}
		value = argv[++*i];
	}
	return o->parse(value);
}

int options__parse(int argc, char **argv, int (*positional)(const char *arg), bool *help)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		int ret;

		if (options && !strcmp(argv[i], "--")) {
			options = false;
			continue;
		}
		if (options && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
			*help = true;
			return 0;
		}
		if (options && argv[i][0] == '-' && argv[i][1])
			ret = parse_one(argc, argv, &i);
		else
			ret = positional(argv[i]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void options__print(void)
{
	for (const struct module *m = module__first(); m; m = m->next) {
		for (const struct option_def *o = m->options; o && o->name; o++) {
			int n = o->letter ? printf("  -%c, --%s", o->letter, o->name)
					  : printf("      --%s", o->name);

			if (o->arg)
				n += printf(" %s", o->arg);
			if (n >= HELP_COLUMN)
				printf("\n%*s%s\n", HELP_COLUMN, "", o->help);
			else
				printf("%*s%s\n", HELP_COLUMN - n, "", o->help);
		}
	}
}
