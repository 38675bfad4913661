/* SPDX-License-Identifier: GPL-2.0-only */

/* Number parsing, trace patterns, module order, options. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "x86/module.c"
#include "x86/nearest.c"
#include "x86/options.c"
#include "x86/trace.c"
#include "x86/util.c"

static char captured[16384];

/* What @fn prints on stderr. */
static const char *capture(void (*fn)(void))
{
	int pipefd[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	if (pipe(pipefd) < 0)
		return "";
	dup2(pipefd[1], STDERR_FILENO);
	fn();
	dup2(saved, STDERR_FILENO);
	close(pipefd[1]);
	close(saved);
	n = read(pipefd[0], captured, sizeof(captured) - 1);
	close(pipefd[0]);
	captured[n > 0 ? n : 0] = 0;
	return captured;
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		int ret;
		u64 value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "4K", 0, 4096 },
		{ "3m", 0, 3 * MiB },
		{ "2G", 0, 2 * GiB },
		{ "0x10", 0, 16 },
		{ "0x10K", 0, 16 * KiB },
		{ "18446744073709551615", 0, ~0ULL },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "17179869184G", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },
		{ "0x0x1", -EINVAL, 0 },
		{ "0x 1", -EINVAL, 0 },
		{ "1KK", -EINVAL, 0 },
		{ "1T", -EINVAL, 0 },
	};

	u64 mib = 0;

	ok(parse_mib("3", &mib) == 0 && mib == 3 * MiB, "a bare number of MiB");
	ok(parse_mib("3K", &mib) == 0 && mib == 3 * KiB, "but not one with a suffix");
	ok(parse_mib("17592186044416", &mib) == -ERANGE && parse_mib("", &mib) == -EINVAL,
	   "which may be too many, or none");
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 v = 0;
		int ret = parse_size(cases[i].text, &v);

		ok(ret == cases[i].ret && (ret || v == cases[i].value), "size \"%s\" gives %d",
		   cases[i].text, cases[i].ret);
	}
}

static void test_uints(void)
{
	u64 v;

	ok(parse_uint("7", 1, 7, &v) == 0 && v == 7, "the maximum is in the range");
	ok(parse_uint("8", 1, 7, &v) == -ERANGE, "above the maximum is not");
	ok(parse_uint("0", 1, 7, &v) == -ERANGE, "below the minimum is not");
	ok(parse_uint("1K", 1, 9999, &v) == -EINVAL, "no suffix is taken");
}

static void emit_some(void)
{
	trace(vtd_inv, "wait %d", 3);
	trace(exit, "not on");
}

static void enable_unknown(void)
{
	ok(trace__enable("virtio,nonsense") == -EINVAL, "an unknown event is refused");
}

static void test_trace(void)
{
	ok(trace__enable("vtd_*") == 0, "a prefix is taken");
	ok(trace_on[TRACE_vtd_inv] && trace_on[TRACE_vtd_fault] && !trace_on[TRACE_bind_inv],
	   "a prefix switches on what begins so, nothing else");
	ok(!strcmp(capture(emit_some), "trace: vtd_inv wait 3\n"),
	   "an event that is on prints its line, one that is off none");
	ok(strstr(capture(enable_unknown), "hwpt_alloc"), "the refusal lists the known ones");
	ok(trace__enable("all") == 0 && trace_on[TRACE_exit], "\"all\" is all");
}

static struct ratelimit rl;

static void flood(void)
{
	for (int i = 0; i < 50; i++)
		pr_guest(&rl, "line %d", i);
}

static void after_flood(void)
{
	rl.window--;
	pr_guest(&rl, "later");
}

static void long_line(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	pr_err("%s", text);
}

static void long_name(void)
{
	char path[PATH_MAX];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = 0;
	pr_err("cannot open %s: no; use another", path);
}

static void test_messages(void)
{
	const char *s;
	unsigned int lines = 0;

	for (s = capture(flood); (s = strchr(s, '\n')); s++)
		lines++;
	/* A second may end within the flood. */
	ok(lines >= 10 && lines <= 21, "a flood of 50 lines is cut (%u)", lines);
	s = capture(after_flood);
	ok(strstr(s, "suppressed") && strstr(s, "later"), "and the next line tells so");
	s = capture(long_line);
	ok(strlen(s) < 5000 && s[strlen(s) - 1] == '\n', "a long message is cut to one line");
	s = capture(long_name);
	ok(strstr(s, "xxx: no; use another\n"), "but not behind any name that a file can have");
}

static void hostile_name(void)
{
	pr_err("cannot open %s: no", "a\nb\033[2Jc");
}

static void test_names(void)
{
	ok(!strcmp(capture(hostile_name), "lkvm: cannot open a?b?[2Jc: no\n"),
	   "a name with a line end in it does not make two lines");
}

static const char *meant(const char *word)
{
	static const char *const names[] = {
		"kernel", "initrd", "cpus", "mem", "vfio", "run", "rng"
	};
	struct nearest n = { .word = word };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		nearest__offer(&n, names[i]);
	return n.best ? n.best : "none";
}

static void test_nearest(void)
{
	static const struct {
		const char *word, *want;
	} cases[] = {
		{ "kernle", "kernel" },
		{ "kernl", "kernel" },
		{ "krenle", "kernel" },
		{ "cpu", "cpus" },
		{ "cpuss", "cpus" },
		{ "memory", "none" },
		{ "meme", "mem" },
		{ "runn", "run" },
		{ "nur", "none" },
		{ "", "none" },
		{ "v", "none" },
		{ "x", "none" },
		{ "vifo", "vfio" },
		{ "completely", "none" },
		{ "initrdinitrdinitrdinitrdinitrdinitrd", "none" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		ok(!strcmp(meant(cases[i].word), cases[i].want), "by \"%s\" is meant: %s",
		   cases[i].word, cases[i].want);
}

static char log_text[256];

static int take(const char *arg)
{
	strcat(log_text, arg ? arg : "FLAG");
	strcat(log_text, ";");
	return strcmp(arg ? arg : "", "bad") ? 0 : -EINVAL;
}

static const struct option_def test_options[] = {
	{ .name = "value", .letter = 'v', .arg = "X", .parse = take, .help = "" },
	{ .name = "flag", .parse = take, .help = "" },
	{ .name = NULL },
};

static struct module mod_late = { .name = "a", .level = MODULE_LATE };
static struct module mod_b = { .name = "b", .level = MODULE_DEVICE, .options = test_options };
static struct module mod_a = { .name = "a", .level = MODULE_DEVICE };

static int parse(char *first, char *second, bool *help)
{
	char *argv[] = { "run", first, second, NULL };

	log_text[0] = 0;
	return options__parse(second ? 3 : first ? 2 : 1, argv, take, help);
}

static int quiet_ret;
static char *quiet_args[2];

static void parse_quietly(void)
{
	bool help = false;

	quiet_ret = parse(quiet_args[0], quiet_args[1], &help);
}

static bool refused(char *first, char *second)
{
	quiet_args[0] = first;
	quiet_args[1] = second;
	capture(parse_quietly);
	return quiet_ret == -EINVAL;
}

static void test_options_and_modules(void)
{
	bool help = false;

	module__register(&mod_late);
	module__register(&mod_b);
	module__register(&mod_a);
	ok(module__first()->level == MODULE_CORE, "the trace module comes first by its level");
	ok(mod_a.next == &mod_b && mod_b.next == &mod_late,
	   "order is by level, then name, not by registration");

	ok(parse("--value", "x", &help) == 0 && !strcmp(log_text, "x;"), "--value x");
	ok(parse("--value=y=z", NULL, &help) == 0 && !strcmp(log_text, "y=z;"), "--value=y=z");
	ok(parse("-v", "-1", &help) == 0 && !strcmp(log_text, "-1;"), "-v -1 takes the value");
	ok(parse("-vq", NULL, &help) == 0 && !strcmp(log_text, "q;"), "-vq");
	ok(parse("--flag", "pos", &help) == 0 && !strcmp(log_text, "FLAG;pos;"), "flag, argument");
	ok(parse("--", "--flag", &help) == 0 && !strcmp(log_text, "--flag;"), "-- ends options");
	ok(!help && parse("--help", NULL, &help) == 0 && help, "--help is seen");
	ok(refused("--valu", "x"), "no abbreviations");
	ok(refused("--value", NULL), "a missing value is refused");
	ok(refused("--flag=1", NULL), "a value for a flag is refused");
	ok(refused("-v", "bad"), "a bad value is passed up");
}

int main(void)
{
	test_sizes();
	test_uints();
	test_trace();
	test_messages();
	test_names();
	test_nearest();
	test_options_and_modules();
	return tap_done();
}
