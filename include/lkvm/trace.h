/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_TRACE_H
#define LKVM_TRACE_H

/*
 * Trace events: one line on stderr each, "trace: EVENT text", switched by `--trace EVENT[,...]`
 * (a trailing * matches the rest of a name; "all").  Off, an event costs one test of a byte.
 */

#include "lkvm/util.h"

#define TRACE_EVENTS(X)                                                                            \
	X(vtd_reg, "VT-d register writes")                                                         \
	X(vtd_inv, "VT-d invalidation descriptors")                                                \
	X(vtd_table, "VT-d entries in use that have changed: what they said, and say")             \
	X(vtd_prq, "VT-d page requests and their answers")                                         \
	X(vtd_fault, "VT-d faults")                                                                \
	X(vtd_ir, "interrupt remapping results")                                                   \
	X(bind_attach, "a device or PASID attached to a host page table")                          \
	X(bind_detach, "a device or PASID detached (DMA blocked)")                                 \
	X(bind_parent, "a device or PASID put (back) on its parent page table")                    \
	X(bind_inv, "first-stage invalidations given to the host")                                 \
	X(hwpt_alloc, "host page table objects allocated")                                         \
	X(hwpt_free, "host page table objects destroyed")                                          \
	X(pci_bar, "BARs moved")                                                                   \
	X(vfio_irq, "interrupts of assigned devices armed")                                        \
	X(vhost, "translations that vhost asks for, and their ends")                               \
	X(virtio, "virtio device status changes")                                                  \
	X(exit, "accesses nobody claims")

enum trace_event {
#define X(name, help) TRACE_##name,
	TRACE_EVENTS(X)
#undef X
	    TRACE_MAX,
};

extern bool trace_on[TRACE_MAX];

#define trace(event, fmt, ...)                                                                     \
	do {                                                                                       \
		if (unlikely(trace_on[TRACE_##event]))                                             \
			trace__emit(#event, fmt, ##__VA_ARGS__);                                   \
	} while (0)

void trace__emit(const char *event, const char *fmt, ...) __printf(2, 3);
/* "a,b*,all"; an unknown name prints one line with the known ones and gives -EINVAL. */
int trace__enable(const char *list);

#endif
