/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * tcp serve PORT                          takes what "up" sends, sends "down" what it takes; never ends
 * tcp up|down ADDRESS PORT SECONDS        prints "tcp up KiB/s": what has arrived at the other end, or here
 */

#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buf[128 * 1024];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Bytes sent until @end; a closed connection ends it too. */
static uint64_t flood(int fd, double end)
{
	uint64_t sum = 0;
	ssize_t n;

	while (now() < end && (n = write(fd, buf, sizeof(buf))) > 0)
		sum += n;
	return sum;
}

static uint64_t drain(int fd, double end)
{
	uint64_t sum = 0;
	ssize_t n;

	while (now() < end && (n = read(fd, buf, sizeof(buf))) > 0)
		sum += n;
	return sum;
}

/* The first byte says who sends. */
static void serve_one(int fd)
{
	uint64_t sum;
	char what;

	if (read(fd, &what, 1) != 1)
		return;
	if (what == 'd') {
		flood(fd, now() + 3600);
		return;
	}
	sum = drain(fd, now() + 3600);
	/* An answer means that all has arrived. */
	if (write(fd, &sum, sizeof(sum)) < 0)
		perror("tcp: answer");
}

static int serve(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const void *)addr, sizeof(*addr)) || listen(fd, 8)) {
		perror("tcp: listen");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			continue;
		if (fork() == 0) {
			serve_one(conn);
			_exit(0);
		}
		close(conn);
	}
}

static int measure(const struct sockaddr_in *addr, const char *what, double seconds)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t sum, arrived;
	double start;

	if (connect(fd, (const void *)addr, sizeof(*addr)) || write(fd, what, 1) != 1) {
		perror("tcp: connect");
		return 1;
	}
	start = now();
	if (*what == 'd') {
		sum = drain(fd, start + seconds);
	} else {
		sum = flood(fd, start + seconds);
		shutdown(fd, SHUT_WR);
		if (read(fd, &arrived, sizeof(arrived)) != sizeof(arrived) || arrived != sum) {
			fprintf(stderr, "tcp: the other end did not get all\n");
			return 1;
		}
	}
	printf("tcp %s %.0f\n", what, sum / 1024 / (now() - start));
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve")) {
		addr.sin_port = htons(atoi(argv[2]));
		return serve(&addr);
	}
	if (argc != 5 || (strcmp(argv[1], "up") && strcmp(argv[1], "down")) ||
	    inet_pton(AF_INET, argv[2], &addr.sin_addr) != 1) {
		fprintf(stderr, "usage: tcp serve PORT | tcp up|down ADDRESS PORT SECONDS\n");
		return 2;
	}
	addr.sin_port = htons(atoi(argv[3]));
	return measure(&addr, argv[1], atof(argv[4]));
}
