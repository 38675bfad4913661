/* SPDX-License-Identifier: GPL-2.0-only */
/* kexec_load now|panic KERNEL INITRD PARAMS: Linux starts KERNEL at once, or when it panics. */

#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int kernel, initrd, crash;

	if (argc != 5 || (strcmp(argv[1], "now") && strcmp(argv[1], "panic"))) {
		fprintf(stderr, "usage: kexec_load now|panic KERNEL INITRD PARAMS\n");
		return 2;
	}
	crash = !strcmp(argv[1], "panic");
	kernel = open(argv[2], O_RDONLY);
	initrd = open(argv[3], O_RDONLY);
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[4]) + 1, argv[4],
		    crash ? KEXEC_FILE_ON_CRASH : 0UL)) {
		perror("kexec_file_load");
		return 1;
	}
	if (crash)
		return 0;
	reboot(LINUX_REBOOT_CMD_KEXEC);
	perror("reboot");
	return 1;
}
