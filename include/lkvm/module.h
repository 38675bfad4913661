/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_MODULE_H
#define LKVM_MODULE_H

/*
 * A part of the machine that brings its own options, set-up and teardown.  A module's file ends in
 * LKVM_MODULE(name); nothing else lists it.
 *
 * `lkvm run` parses all options, then calls validate() of every module, then setup() in the order
 * of levels (within a level by name), then runs the guest, then teardown() in exactly the reverse
 * order of the setups that succeeded.  A setup that fails prints its one line, undoes what it did,
 * and returns a negative errno.
 */

#include "lkvm/util.h"

struct control_verb;
struct vm;

enum module_level {
	MODULE_CORE,	 /* KVM, memory, interrupts */
	MODULE_BUS,	 /* the PCI root */
	MODULE_IOMMU,	 /* before the first PCI function exists */
	MODULE_DEVICE,	 /* everything the guest finds */
	MODULE_TABLES,	 /* what describes the devices to the guest: needs to know all of them */
	MODULE_FIRMWARE, /* ACPI tables and the kernel image */
	MODULE_LATE,	 /* control socket */
};

/* An option of `lkvm run`. */
struct option_def {
	const char *name; /* long name without dashes */
	char letter;	  /* short name, or 0 */
	const char *arg;  /* placeholder in the usage text; NULL: takes no argument */
	const char *help; /* one line */
	/*
	 * Stores the value; called once per occurrence (@arg NULL for flags).  No side effects
	 * outside the process.  A bad value prints one line naming option, value and remedy, and
	 * returns -EINVAL.
	 */
	int (*parse)(const char *arg);
};

struct module {
	const char *name;
	enum module_level level;
	const struct option_def *options; /* ends with a name of NULL; may be NULL */
	const struct control_verb *verbs; /* the same */
	/*
	 * Values that only make sense together, and what they name; may be NULL.  A negative errno
	 * for a bad one, or VM_HOST where the host is to blame, with one printed line.
	 */
	int (*validate)(void);
	int (*setup)(struct vm *vm);	 /* may be NULL */
	void (*teardown)(struct vm *vm); /* may be NULL */
	/* Machine reset (LATER), loop lock held; may be NULL. */
	void (*reset)(struct vm *vm);
	/* Prints what this host offers the module, for `lkvm check`; returns false if something
	 * needed is missing.  May be NULL. */
	bool (*check)(void);
	struct module *next; /* owned by module__register */
};

void module__register(struct module *m);
/* All modules in set-up order; follow ->next. */
struct module *module__first(void);

#define LKVM_MODULE(m)                                                                             \
	static void __attribute__((constructor)) module_register_##m(void)                         \
	{                                                                                          \
		module__register(&m);                                                              \
	}

#endif
