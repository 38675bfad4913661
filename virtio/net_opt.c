/* SPDX-License-Identifier: GPL-2.0-only */
/* The --network option, and the module. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/check.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "virtio/net.h"

#define SYNTAX	 "none|user|tap[=IF][,WORD...]"
#define NETS_MAX 8

static struct net *nets[NETS_MAX];
static unsigned int nnets, nadded;
static bool asked; /* the user has said something, be it none */

/* XX:XX:XX:XX:XX:XX of one station. */
static int parse_mac(struct net_options *opt, const char *value)
{
	char end;

	if (strlen(value) != 3 * ETH_ALEN - 1 ||
	    strspn(value, "0123456789abcdefABCDEF:") != strlen(value) ||
	    sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &opt->mac[0], &opt->mac[1],
		   &opt->mac[2], &opt->mac[3], &opt->mac[4], &opt->mac[5], &end) != ETH_ALEN ||
	    opt->mac[0] & 1 || !memcmp(opt->mac, (u8[ETH_ALEN]){ 0 }, ETH_ALEN)) {
		pr_err("--network %s: mac=%s is no address of a single station; write for example "
		       "mac=02:00:00:00:00:01",
		       opt->text, value);
		return -EINVAL;
	}
	opt->has_mac = true;
	return 0;
}

/* tcp:HOSTPORT:GUESTPORT, or udp. */
static int parse_fwd(struct net_options *opt, const char *value)
{
	struct net_fwd fwd = { .udp = !strncmp(value, "udp:", 4) };
	const char *colon = strchr(value, ':');
	char host[8];
	u64 h, g;
	int n;

	if (!fwd.udp && strncmp(value, "tcp:", 4))
		goto bad;
	n = strcspn(colon + 1, ":");
	if (n >= (int)sizeof(host) || colon[1 + n] != ':')
		goto bad;
	snprintf(host, sizeof(host), "%.*s", n, colon + 1);
	if (parse_uint(host, 1, 65535, &h) || parse_uint(colon + 1 + n + 1, 1, 65535, &g))
		goto bad;
	if (opt->nfwds == NET_FWDS) {
		pr_err("--network %s: there are more than %d hostfwd=; leave some out", opt->text,
		       NET_FWDS);
		return -EINVAL;
	}
	fwd.host = h;
	fwd.guest = g;
	opt->fwd[opt->nfwds++] = fwd;
	return 0;

bad:
	pr_err("--network %s: hostfwd=%s: write tcp:HOSTPORT:GUESTPORT (or udp), ports 1 to 65535",
	       opt->text, value);
	return -EINVAL;
}

static int parse_mode(struct net_options *opt, const char *word)
{
	if (!strcmp(word, "none")) {
		opt->backend = NULL;
	} else if (!strcmp(word, "user")) {
		opt->backend = &net_user__backend;
	} else if (!strcmp(word, "tap")) {
		opt->backend = &net_tap__backend;
	} else if (!strncmp(word, "tap=", 4)) {
		opt->backend = &net_tap__backend;
		/* What the kernel takes for a name, and no pattern like tap%d. */
		if (!word[4] || strlen(word + 4) >= IFNAMSIZ || strpbrk(word + 4, "/%: \t\n")) {
			pr_err("--network %s: '%s' is no name of an interface; use up to %d "
			       "letters and digits",
			       opt->text, word + 4, IFNAMSIZ - 1);
			return -EINVAL;
		}
		memcpy(opt->ifname, word + 4, strlen(word + 4));
	} else {
		pr_err("--network %s: unknown '%s'; write " SYNTAX, opt->text, word);
		return -EINVAL;
	}
	return 0;
}

static int parse_word(struct net_options *opt, const char *word)
{
	bool tap = opt->backend == &net_tap__backend, user = opt->backend == &net_user__backend;

	if (!strncmp(word, "mac=", 4) && opt->backend)
		return parse_mac(opt, word + 4);
	if (!strncmp(word, "hostfwd=", 8) && user)
		return parse_fwd(opt, word + 8);
	if (!strcmp(word, "loopback") && user)
		opt->loopback = true;
	else if (!strcmp(word, "vhost") && tap)
		opt->vhost = NET_VHOST_MUST;
	else if (!strcmp(word, "vhost=off") && tap)
		opt->vhost = NET_VHOST_OFF;
	else {
		pr_err("--network %s: unknown '%s'; there is %s", opt->text, word,
		       tap    ? "mac=MAC, vhost, vhost=off"
		       : user ? "mac=MAC, hostfwd=tcp:HOSTPORT:GUESTPORT, loopback"
			      : "nothing to add to none");
		return -EINVAL;
	}
	return 0;
}

int net_opt__parse(struct net_options *opt, const char *arg)
{
	char *words, *word, *rest;
	int err;

	*opt = (struct net_options){ .text = arg };
	words = rest = strdup(arg);
	if (!words) {
		pr_err("--network %s: out of memory", arg);
		return -ENOMEM;
	}
	err = parse_mode(opt, strsep(&rest, ","));
	while (!err && (word = strsep(&rest, ",")))
		err = parse_word(opt, word);
	free(words);
	return err;
}

static int parse_network(const char *arg)
{
	struct net_options opt;
	int err = net_opt__parse(&opt, arg);

	asked = true;
	if (err || !opt.backend)
		return err;
	if (nnets == NETS_MAX) {
		pr_err("--network %s: there are %d networks already; leave some out", arg,
		       NETS_MAX);
		return -EINVAL;
	}
	nets[nnets] = calloc(1, sizeof(*nets[nnets]));
	if (!nets[nnets]) {
		pr_err("--network %s: out of memory", arg);
		return -ENOMEM;
	}
	nets[nnets++]->opt = opt;
	return 0;
}

static int validate(void)
{
	int ret = asked ? 0 : parse_network("user");

	if (ret)
		return ret;
	for (unsigned int i = 0; i < nnets; i++) {
		int err = net__open(nets[i]);

		if (err)
			return err;
	}
	return 0;
}

static void teardown(struct vm *vm)
{
	while (nadded)
		net__exit(nets[--nadded]);
	for (unsigned int i = nnets; i-- > 0;)
		net__close(nets[i]);
}

static int setup(struct vm *vm)
{
	for (; nadded < nnets; nadded++) {
		int err = net__init(nets[nadded], vm, nadded);

		if (err) {
			teardown(vm);
			return err;
		}
	}
	return 0;
}

/* None of it is needed. */
static bool check(void)
{
	printf("user network: yes\n");
	check__node("tap", "/dev/net/tun", "tun", "-n tap");
	check__node("vhost-net", "/dev/vhost-net", "vhost_net", "a fast -n tap");
	return true;
}

static const struct option_def options[] = {
	{
	    .name = "network",
	    .letter = 'n',
	    .arg = SYNTAX,
	    .help =
		"a network (default user); words: mac=MAC; user: hostfwd=tcp:HOSTPORT:GUESTPORT, "
		"loopback; tap: vhost, vhost=off",
	    .parse = parse_network,
	},
	{ 0 },
};

static struct module module_net = {
	.name = "virtio-net",
	.level = MODULE_DEVICE,
	.options = options,
	.validate = validate,
	.setup = setup,
	.teardown = teardown,
	.check = check,
};
LKVM_MODULE(module_net)
