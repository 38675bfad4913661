/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_H
#define FUZZ_H

/*
 * What every fuzzer needs: an input is a program, taken apart byte by byte (zeroes behind its end),
 * and what must hold is said with must(), which ends the run as a sanitizer's report would.
 */

#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/util.h"

/* The entry point libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const u8 *data;
	size_t left;
};

/* The fuzzer's own stderr may be closed; the sanitizers' is not. */
#define must(cond, text)                                                                        \
	do {                                                                                    \
		if (!(cond)) {                                                                  \
			char must_line[256];                                                    \
                                                                                                \
			snprintf(must_line, sizeof(must_line), "%s:%d: must hold: %s (%s)",     \
				 __FILE__, __LINE__, text, #cond);                              \
			__sanitizer_report_error_summary(must_line);                            \
			abort();                                                                \
		}                                                                               \
	} while (0)

static inline u64 in__n(struct input *in, u32 n)
{
	u64 v = 0;

	n = in->left < n ? (u32)in->left : n;
	memcpy(&v, in->data, n);
	in->data += n;
	in->left -= n;
	return v;
}

static inline u8 in__u8(struct input *in)
{
	return in__n(in, 1);
}

static inline u16 in__u16(struct input *in)
{
	return in__n(in, 2);
}

static inline u32 in__u32(struct input *in)
{
	return in__n(in, 4);
}

static inline u64 in__u64(struct input *in)
{
	return in__n(in, 8);
}

#endif
