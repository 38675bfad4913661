/* SPDX-License-Identifier: GPL-2.0-only */

/* The event loop: dispatch, deletion while an event is on its way, stopping. */

#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include "tests/unit/tap.h"
#include "x86/loop.c"
#include "x86/util.c"

struct source {
	int fd;
	struct loop_fd *lfd;
	unsigned int calls;
};

static struct loop *loop;

static int make_event(bool ready)
{
	return eventfd(ready, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void set(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		perror("write");
}

static void drain(int fd)
{
	u64 v;

	if (read(fd, &v, sizeof(v)) < 0)
		perror("read");
}

static void count(void *arg, u32 events)
{
	struct source *s = arg;

	s->calls++;
	drain(s->fd);
}

static void count_and_stop(void *arg, u32 events)
{
	count(arg, events);
	loop__stop(loop, 3);
}

static void test_dispatch(void)
{
	struct source a = { .fd = make_event(true) }, b = { .fd = make_event(true) };

	loop = loop__new();
	ok(loop, "a loop is made");
	a.lfd = loop__add(loop, a.fd, EPOLLIN, count, &a);
	b.lfd = loop__add(loop, b.fd, EPOLLIN, count_and_stop, &b);
	eq(loop__run(loop), 3, "the loop ends with the status of loop__stop()");
	ok(a.calls <= 1 && b.calls == 1, "each event is dispatched at most once");
	loop__stop(loop, 4);
	eq(loop__run(loop), 3, "the first status wins");
	ok(!loop__add(loop, -1, EPOLLIN, count, &a) && errno == EBADF, "a bad fd gives errno");
	loop__del(NULL);
	loop__del(a.lfd);
	loop__del(b.lfd);
	loop__free(loop);
	close(a.fd);
	close(b.fd);
}

/* Both are ready; whichever comes first deletes the other, and itself. */
static struct source first, second;

static void delete_both(void *arg, u32 events)
{
	struct source *s = arg;

	s->calls++;
	loop__del(first.lfd);
	loop__del(second.lfd);
	loop__stop(loop, 0);
}

static void test_delete_in_handler(void)
{
	loop = loop__new();
	first = (struct source){ .fd = make_event(true) };
	second = (struct source){ .fd = make_event(true) };
	first.lfd = loop__add(loop, first.fd, EPOLLIN, delete_both, &first);
	second.lfd = loop__add(loop, second.fd, EPOLLIN, delete_both, &second);
	loop__run(loop);
	eq(first.calls + second.calls, 1, "a handler deleted by another is not called");
	loop__free(loop);
	close(first.fd);
	close(second.fd);
}

static void *run_thread(void *arg)
{
	return (void *)(intptr_t)loop__run(loop);
}

static void sleep_ms(long ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000 };

	nanosleep(&ts, NULL);
}

/*
 * The race of the design: the loop thread has the event and waits for the lock, while the holder of
 * the lock deletes the handler.  It must neither be called nor be freed under the loop.
 */
static void test_delete_while_waiting(void)
{
	struct source s = { .fd = make_event(false) };
	pthread_t thread;
	void *status;

	loop = loop__new();
	s.lfd = loop__add(loop, s.fd, EPOLLIN, count, &s);
	pthread_create(&thread, NULL, run_thread, NULL);
	for (int i = 0; i < 20; i++) {
		loop__lock(loop);
		set(s.fd);
		sleep_ms(5); /* time for the loop thread to come to the lock */
		loop__del(s.lfd);
		drain(s.fd);
		s.lfd = loop__add(loop, s.fd, EPOLLIN, count, &s);
		loop__unlock(loop);
		sleep_ms(1);
	}
	eq(s.calls, 0, "an event of a handler deleted meanwhile is dropped");
	loop__lock(loop);
	set(s.fd);
	loop__unlock(loop);
	while (READ_ONCE(s.calls) == 0)
		sleep_ms(1);
	ok(true, "the new handler is called");
	loop__stop(loop, 7);
	pthread_join(thread, &status);
	eq((intptr_t)status, 7, "loop__stop() works from another thread");
	loop__del(s.lfd);
	loop__free(loop);
	close(s.fd);
}

/* --- Turns: a vCPU that waits for the lock gets it before the loop's next event --- */

static struct {
	struct source events; /* two in a round */
	sem_t begun, gate;
	bool had;
	pid_t tid;
	unsigned int overtaken;
} turn;

/* The first event of a round lasts until the vCPU waits; the second comes behind both. */
static void held_event(void *arg, u32 events)
{
	bool opening = turn.events.calls++ % 2 == 0;

	drain(turn.events.fd);
	if (!opening && !turn.had)
		turn.overtaken++;
	sem_post(&turn.begun);
	if (opening)
		sem_wait(&turn.gate);
}

static void *vcpu_thread(void *arg)
{
	__atomic_store_n(&turn.tid, gettid(), __ATOMIC_RELEASE);
	loop__lock(loop);
	turn.had = true;
	loop__unlock(loop);
	return NULL;
}

/* Until the vCPU's thread sleeps, which it does nowhere but in loop__lock(). */
static void wait_for_waiter(void)
{
	char path[64], line[256];
	bool asleep = false;
	pid_t tid;
	FILE *f;

	while (!(tid = __atomic_load_n(&turn.tid, __ATOMIC_ACQUIRE)))
		sleep_ms(1);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	while (!asleep) {
		sleep_ms(1);
		f = fopen(path, "r");
		asleep = f && fgets(line, sizeof(line), f) && strstr(line, ") S ");
		if (f)
			fclose(f);
	}
}

static void test_turns(void)
{
	pthread_t thread, vcpu;

	turn.events.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
	sem_init(&turn.begun, 0, 0);
	sem_init(&turn.gate, 0, 0);
	loop = loop__new();
	turn.events.lfd = loop__add(loop, turn.events.fd, EPOLLIN, held_event, NULL);
	pthread_create(&thread, NULL, run_thread, NULL);
	for (int i = 0; i < 20; i++) {
		turn.tid = 0;
		turn.had = false;
		set(turn.events.fd);
		set(turn.events.fd);
		sem_wait(&turn.begun);
		pthread_create(&vcpu, NULL, vcpu_thread, NULL);
		wait_for_waiter();
		sem_post(&turn.gate);
		sem_wait(&turn.begun);
		pthread_join(vcpu, NULL);
	}
	eq(turn.overtaken, 0, "no event overtakes a vCPU that waits for the lock");
	loop__stop(loop, 0);
	pthread_join(thread, NULL);
	loop__del(turn.events.lfd);
	loop__free(loop);
	close(turn.events.fd);
}

static void test_graveyard_is_emptied(void)
{
	struct source s = { .fd = make_event(false) };
	pthread_t thread;
	unsigned int graves;

	loop = loop__new();
	pthread_create(&thread, NULL, run_thread, NULL);
	for (int i = 0; i < 10 * GRAVES_MAX; i++) {
		loop__lock(loop);
		s.lfd = loop__add(loop, s.fd, EPOLLIN, count, &s);
		loop__del(s.lfd);
		loop__unlock(loop);
	}
	sleep_ms(50);
	loop__lock(loop);
	graves = loop->graves;
	loop__unlock(loop);
	ok(graves < GRAVES_MAX, "deleted handlers do not pile up (%u left)", graves);
	loop__stop(loop, 0);
	pthread_join(thread, NULL);
	loop__free(loop);
	close(s.fd);
}

static void test_modify(void)
{
	struct source s = { .fd = make_event(true) }, end = { .fd = make_event(true) };

	loop = loop__new();
	s.lfd = loop__add(loop, s.fd, EPOLLIN, count, &s);
	eq(loop__modify(s.lfd, 0), 0, "events can be changed");
	end.lfd = loop__add(loop, end.fd, EPOLLIN, count_and_stop, &end);
	loop__run(loop);
	eq(s.calls, 0, "what is not asked for is not dispatched");
	loop__del(s.lfd);
	loop__del(end.lfd);
	loop__free(loop);
	close(s.fd);
	close(end.fd);
}

int main(void)
{
	test_dispatch();
	test_delete_in_handler();
	test_delete_while_waiting();
	test_turns();
	test_graveyard_is_emptied();
	test_modify();
	return tap_done();
}
