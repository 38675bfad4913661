/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * nested ADDR NODE TEST...: runs the named tests on the test device ADDR (0000:00:05.0), whose
 * character device is NODE.
 */

#include <string.h>

#include "nested.h"

static const struct {
	const char *name;
	void (*run)(struct host *h);
} tests[] = {
	{ "stages", test_stages }, { "pasid", test_pasid }, { "faults", test_faults },
	{ "pri", test_pri },	   { "dirty", test_dirty },
};

int main(int argc, char **argv)
{
	struct host h;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4) {
		fprintf(stderr, "usage: nested ADDR NODE TEST...\n");
		return 2;
	}
	iommufd__open();
	h = host__open(argv[1], argv[2]);
	for (int i = 3; i < argc; i++) {
		bool known = false;

		for (size_t t = 0; t < ARRAY_SIZE(tests); t++)
			if (!strcmp(argv[i], tests[t].name)) {
				printf("# %s\n", argv[i]);
				tests[t].run(&h);
				known = true;
			}
		ok(known, "the test %s is there", argv[i]);
	}
	ok(klog__healthy(), "the kernel has no complaints");
	return tap__done();
}
