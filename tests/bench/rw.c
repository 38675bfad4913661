/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * rw DEVICE read|write BLOCK WORKERS SECONDS: direct requests by so many processes, each with one under way;
 * at random places for blocks below 1 MiB, else one after the other.  Prints "rw read BLOCK KiB/s".
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE (2 << 20)

struct job {
	const char *device;
	int write;
	uint64_t block, blocks; /* of the device */
	double seconds;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* xorshift64 */
static uint64_t random64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/*
 * In one piece of memory, if the kernel gives huge pages: else it is up to chance whether a large buffer is, or is 256 pages
 * that make two requests, and a mapping each behind an IOMMU.
 */
static void *new_buffer(uint64_t size)
{
	void *buf;

	if (posix_memalign(&buf, size < HUGE_PAGE / 2 ? 4096 : HUGE_PAGE, size))
		return NULL;
	madvise(buf, size, MADV_HUGEPAGE);
	return buf;
}

/* Exits with 0; counts requests in *@done. */
static void work(const struct job *job, unsigned int index, volatile uint64_t *done)
{
	uint64_t state = 88172645463325252ULL + index * 7919, at = index;
	double end = now() + job->seconds;
	int fd = open(job->device, O_RDWR | O_DIRECT);
	/* As large as the page, so that all of it is one. */
	void *buf = new_buffer(job->block < HUGE_PAGE / 2 ? job->block : HUGE_PAGE);

	if (fd < 0 || !buf) {
		perror(job->device);
		_exit(1);
	}
	memset(buf, 0x5a, job->block);
	while (now() < end) {
		off_t off;
		ssize_t n;

		at = job->block < 1048576 ? random64(&state) : at + 1;
		off = at % job->blocks * job->block;
		n = job->write ? pwrite(fd, buf, job->block, off) : pread(fd, buf, job->block, off);
		if (n != (ssize_t)job->block) {
			perror("request");
			_exit(1);
		}
		++*done;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned int workers = argc == 6 ? atoi(argv[4]) : 0;
	struct job job = { 0 };
	uint64_t *done, sum = 0;
	int fd, status, failed = 0;
	double start;

	if (workers < 1 || workers > 64)
		return 2;
	job.device = argv[1];
	job.write = !strcmp(argv[2], "write");
	job.block = strtoull(argv[3], NULL, 0);
	job.seconds = atof(argv[5]);
	fd = open(job.device, O_RDONLY);
	if (fd < 0 || !job.block) {
		perror(job.device);
		return 2;
	}
	job.blocks = lseek(fd, 0, SEEK_END) / job.block;
	done = mmap(NULL, workers * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!job.blocks || done == MAP_FAILED)
		return 2;
	start = now();
	for (unsigned int i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0)
			work(&job, i, &done[i * 8]); /* a cache line each */
	}
	while (wait(&status) > 0)
		failed |= status;
	for (unsigned int i = 0; i < workers; i++)
		sum += done[i * 8];
	if (failed)
		return 1;
	printf("rw %s %s %.0f\n", argv[2], argv[3], sum * (job.block / 1024.0) / (now() - start));
	return 0;
}
