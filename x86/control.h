/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_CONTROL_H
#define X86_CONTROL_H

/*
 * The control socket: DIR/NAME.sock, DIR being $XDG_RUNTIME_DIR/lkvm or a private directory in /tmp.
 *
 * One request per connection: a line "VERB[ ARG]".  The answer is the line "ok" or "error: TEXT", and
 * behind "ok" whatever the verb has to say, until the end of the stream.
 */

#include <sys/un.h>

#include "lkvm/util.h"

#define CONTROL_SUFFIX	  ".sock"
#define CONTROL_LINE	  512	/* longest request with its newline */
#define CONTROL_GRACE_MAX 86400 /* seconds that lkvm stop can wait for the guest */

#define CONTROL_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/*
 * The directory, verified to be ours alone, and made if it is missing with @make.  A descriptor of it
 * (to be closed), its path in @path; or a negative errno, which is printed but for the -ENOENT of
 * one that is missing.
 */
int control__open_dir(char path[CONTROL_PATH], bool make);
/* DIR/NAME.sock; -ENAMETOOLONG with a printed line. */
int control__addr(const char *dir, const char *name, struct sockaddr_un *addr);
/*
 * A connected socket; -ENOENT if there is none of that name, -ECONNREFUSED if its lkvm is gone, or
 * another errno.  Prints nothing.
 */
int control__connect(const struct sockaddr_un *addr);

/* 0, or -EINVAL with a printed line if no machine can be called that. */
int control__check_name(const char *name);
bool control__is_name(const char *name);

/* control_socket.c, for the machine. */

/* A listening socket for the machine @name; negative errno with a printed line. */
int control__listen(const char *name);
/* Takes it away again, unless another is in its place, and closes it. */
void control__unlisten(int fd);
/* 0 if control__listen() would meet no machine of that name; negative errno with a printed line. */
int control__check_free(const char *name);

/* What a machine of this lkvm answers to @name; NULL if it does not. */
const struct control_verb *control__verb(const char *name);

/* control_client.c, for the commands.  Exit statuses; every error has its line printed. */

/*
 * Ask the machine @name (NULL: the only one there is) for @verb, with @arg if it is not NULL, and
 * print the answer.  One that does not answer is waited for half a minute; it finds the request
 * when it goes on.  With @pidfd, a descriptor that becomes ready when that lkvm has ended, or -1.
 */
int control__request(const char *name, const char *verb, const char *arg, int *pidfd);
/*
 * Calls @fn for each machine that runs, with a connection to it.  Returns how many, or a negative
 * errno with a printed line.
 */
int control__for_each(void (*fn)(const char *name, int fd, void *arg), void *arg);
/*
 * The first two lines of the answer to @verb, the second into @line without its end; false if there is none, or
 * not within seconds.  Prints nothing.
 */
bool control__ask(int fd, const char *verb, char *line, int size);
/*
 * "--name NAME" or "--name=NAME" at @argv[*@i]: 1 and the value of the option @opt, 0 if it is another, or
 * -EINVAL with a printed line if the value is missing, or no name for a machine.
 */
int control__option(const char *opt, int argc, char **argv, int *i, const char **value);

#endif
