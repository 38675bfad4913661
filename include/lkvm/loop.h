/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_LOOP_H
#define LKVM_LOOP_H

/*
 * The event loop and its one lock.
 *
 * Every event of the device model is dispatched one at a time with the lock held: a ready fd by the
 * thread in loop__run(), an MMIO or PIO exit by the vCPU thread itself between loop__lock() and
 * loop__unlock().  No device has a thread or a lock of its own.
 */

#include "lkvm/util.h"

struct loop;
struct loop_fd; /* one watched descriptor */

/* @events: EPOLLIN, EPOLLOUT, ... that are ready.  Lock held. */
typedef void (*loop_fn)(void *arg, u32 events);

/* NULL and a printed line on failure. */
struct loop *loop__new(void);
void loop__free(struct loop *loop);

/* A vCPU that waits is served before the loop takes its next event; of several that wait, one is. */
void loop__lock(struct loop *loop);
void loop__unlock(struct loop *loop);

/*
 * Watch @fd (which stays the caller's) for @events, level-triggered unless EPOLLET is one of them.
 * NULL with errno on failure.  Lock held, or before loop__run().
 */
struct loop_fd *loop__add(struct loop *loop, int fd, u32 events, loop_fn fn, void *arg);
int loop__modify(struct loop_fd *lfd, u32 events);
/*
 * Stop watching; NULL is fine.  The callback is not called again once this returns, also if the fd
 * was ready.  Lock held.  The caller closes its fd afterwards.
 */
void loop__del(struct loop_fd *lfd);

/* Dispatch until loop__stop(); returns its @status.  Main thread, lock not held. */
int loop__run(struct loop *loop);
/* From any thread and with or without the lock; the first status wins. */
void loop__stop(struct loop *loop, int status);

#endif
