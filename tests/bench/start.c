/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * start ROUNDS PROGRAM [ARG]...: runs it so often and prints the medians of its processor time and of the
 * time from exec to exit.  The kernel's own accounting of the child, so nothing has to be patched in.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double tv_ms(struct timeval t)
{
	return t.tv_sec * 1e3 + t.tv_usec / 1e3;
}

/* Processor time in @cpu, elapsed time in @wall; -1 if the program did not do its work. */
static int one(char **argv, double *cpu, double *wall)
{
	double start = now_ms();
	struct rusage r;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execv(argv[0], argv);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &r) != pid)
		return -1;
	*wall = now_ms() - start;
	*cpu = tv_ms(r.ru_utime) + tv_ms(r.ru_stime);
	/* (0 << 1) | 1 from the exit device. */
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[1]) : 0;
	double *cpu = calloc(n + 1, sizeof(*cpu)), *wall = calloc(n + 1, sizeof(*wall));

	if (n < 1 || !cpu || !wall)
		return 2;
	for (int i = 0; i < n; i++) {
		if (one(argv + 2, &cpu[i], &wall[i]) < 0) {
			fprintf(stderr, "bench: %s: the payload did not end it with status 1\n",
				argv[2]);
			return 1;
		}
	}
	qsort(cpu, n, sizeof(*cpu), compare);
	qsort(wall, n, sizeof(*wall), compare);
	printf("start to exit: %.1f ms of processor time, %.1f ms elapsed (medians of %d)\n",
	       cpu[n / 2], wall[n / 2], n);
	return 0;
}
