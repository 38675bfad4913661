/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pty CMD [ARG]...: runs CMD on a terminal of its own and copies what it prints there; ends with its
 * status, 128 and the number for a signal.
 */
#include <pty.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int master, status;
	char buf[4096];
	ssize_t n;
	pid_t pid;

	if (argc < 2 || (pid = forkpty(&master, NULL, NULL, NULL)) < 0) {
		fprintf(stderr, "pty: no command, or no terminal to be had\n");
		return 125;
	}
	if (!pid) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	/* The end is an error (EIO) when the last has closed the other side. */
	while ((n = read(master, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, n) != n)
			break;
	if (waitpid(pid, &status, 0) < 0)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
