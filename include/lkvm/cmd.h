/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CMD_H
#define LKVM_CMD_H

/*
 * The subcommands.  @argv[0] is the subcommand's name; the result is lkvm's exit status (enum
 * vm_status in vm.h for `run`).
 */

int cmd_run(int argc, char **argv);
/* Its options, those of all modules, on stdout. */
void cmd_run__usage(void);
/* What this host offers each module. */
int cmd_check(int argc, char **argv);

/* Clients of a running machine's control socket. */
int cmd_balloon(int argc, char **argv);
int cmd_debug(int argc, char **argv);
/* What it can ask, on stdout. */
void cmd_debug__usage(void);
int cmd_list(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_stop(int argc, char **argv);

#endif
