/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disk images: the --disk option, and what has to be true of a file before it becomes a disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "virtio/blk.h"

#define SYNTAX	   "FILE[,ro][,direct][,serial=TEXT]"
#define DISKS_MAX  26
#define ALIGN_MAX  4096u
#define LOCK_TRIES 10

static struct disk {
	struct blk_file file;
	struct blk blk;
	bool added;
} * disks[DISKS_MAX];
static unsigned int ndisks;

static int parse_word(struct blk_file *file, const char *arg, const char *word)
{
	if (!strcmp(word, "ro")) {
		file->ro = true;
	} else if (!strcmp(word, "direct")) {
		file->direct = true;
	} else if (strncmp(word, "serial=", 7) || !word[7]) {
		pr_err("--disk %s: unknown '%s'; write " SYNTAX " (no commas in FILE)", arg, word);
		return -EINVAL;
	} else if (strlen(word + 7) > VIRTIO_BLK_ID_BYTES) {
		pr_err("--disk %s: the serial is longer than %d characters; use a shorter one", arg,
		       VIRTIO_BLK_ID_BYTES);
		return -EINVAL;
	} else {
		memcpy(file->serial, word + 7, strlen(word + 7));
	}
	return 0;
}

int blk_file__parse(struct blk_file *file, const char *arg)
{
	size_t len = strcspn(arg, ",");
	char *words, *word, *save;
	int err = 0;

	*file = (struct blk_file){ .fd = -1 };
	if (!len || len >= sizeof(file->path)) {
		pr_err("--disk '%.80s': %s; write " SYNTAX, arg,
		       len ? "the name of the file is too long" : "no file is named");
		return -EINVAL;
	}
	memcpy(file->path, arg, len);
	words = strdup(arg + len);
	if (!words) {
		pr_err("--disk %s: out of memory", arg);
		return -ENOMEM;
	}
	for (word = strtok_r(words, ",", &save); word && !err; word = strtok_r(NULL, ",", &save))
		err = parse_word(file, arg, word);
	free(words);
	return err;
}

/*
 * What O_DIRECT asks for, file->align at least, can be known only by trying: it depends on the file
 * system and below.
 */
static int probe_direct(struct blk_file *file)
{
	u32 max = MAX(file->align, ALIGN_MAX);
	void *buf;
	int err = 0;

	if (posix_memalign(&buf, max, max))
		return -ENOMEM;
	for (; file->align <= max; file->align *= 2) {
		err = pread(file->fd, buf, file->align, 0) < 0 ? -errno : 0;
		if (err != -EINVAL)
			break;
	}
	free(buf);
	return err;
}

static int measure(struct blk_file *file, const struct stat *st)
{
	unsigned int physical = 0;
	int logical = SECTOR;
	u64 size = st->st_size;
	int err = 0, ro = 0;

	if (S_ISBLK(st->st_mode)) {
		/* The open for writing succeeds all the same, and each write fails. */
		if (!file->ro && ioctl(file->fd, BLKROGET, &ro) == 0 && ro) {
			pr_err("--disk %s: the device is read-only; add ,ro", file->path);
			return -EROFS;
		}
		if (ioctl(file->fd, BLKGETSIZE64, &size)) {
			err = -errno;
			pr_err("--disk %s: BLKGETSIZE64: %s; is that a disk?", file->path,
			       strerror(-err));
			return err;
		}
		if (ioctl(file->fd, BLKPBSZGET, &physical))
			physical = 0;
		if (ioctl(file->fd, BLKSSZGET, &logical))
			logical = SECTOR;
	}
	file->align = MAX(SECTOR, logical);
	if (file->direct && size)
		err = probe_direct(file);
	if (err) {
		pr_err("--disk %s: reading with O_DIRECT: %s; leave out ,direct", file->path,
		       strerror(-err));
		return err;
	}
	if (S_ISBLK(st->st_mode)) /* what is behind its last block cannot be had */
		size = ALIGN_DOWN(size, file->align);
	if (!size && S_ISREG(st->st_mode)) {
		pr_err("--disk %s: it is empty; give it a size with truncate -s", file->path);
		return -EINVAL;
	}
	if (!size || size % file->align) {
		pr_err("--disk %s: its size of %llu bytes is not a multiple of %u; %s", file->path,
		       size, file->align,
		       S_ISBLK(st->st_mode) ? "give a larger one" : "make it one with truncate -s");
		return -EINVAL;
	}
	file->size = size;
	file->optimal = physical ? physical : ALIGN_MAX;
	if (file->optimal & (file->optimal - 1) || file->optimal > 1 * MiB)
		file->optimal = ALIGN_MAX;
	file->optimal = MAX(file->optimal, file->align);
	return 0;
}

/*
 * Two writers, or one and a reader, would see each other's half-done work.  A device that has just come may be locked by udev
 * for as long as that looks at it.
 */
static int lock_file(const struct blk_file *file, bool block)
{
	for (int i = 0; flock(file->fd, (file->ro ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK)
			break; /* a file system without locks */
		if (!block || i == LOCK_TRIES) {
			pr_err("--disk %s: in use as a disk elsewhere; stop that, or add ,ro to "
			       "both",
			       file->path);
			return -EBUSY;
		}
		usleep(50000);
	}
	return 0;
}

/* A device that is to be written to becomes ours, which it cannot while it is mounted or another's. */
static int claim_device(struct blk_file *file, int flags)
{
	char self[64];
	int fd;

	if (file->ro)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
	fd = open(self, flags | O_EXCL);
	if (fd < 0) {
		int err = errno;

		pr_err("--disk %s: %s; %s", file->path, strerror(err),
		       err == EBUSY ? "it is mounted or in use elsewhere: end that, or add ,ro"
				    : "it cannot be claimed");
		return -err;
	}
	close(file->fd);
	file->fd = fd;
	return 0;
}

int blk_file__open(struct blk_file *file)
{
	/* O_NONBLOCK, so that a FIFO given by mistake does not keep us waiting. */
	int flags =
	    O_CLOEXEC | O_NONBLOCK | (file->ro ? O_RDONLY : O_RDWR) | (file->direct ? O_DIRECT : 0);
	struct stat st;
	int err;

	file->fd = open(file->path, flags);
	if (file->fd < 0) {
		const char *remedy = "check the path";

		err = -errno;
		if (err == -EINVAL && file->direct)
			remedy = "its file system cannot do O_DIRECT, leave out ,direct";
		else if (!file->ro && (err == -EACCES || err == -EROFS || err == -EPERM))
			remedy = "it cannot be written to, add ,ro or change its permissions";
		pr_err("--disk %s: %s; %s", file->path, strerror(-err), remedy);
		return err;
	}
	if (fstat(file->fd, &st)) {
		err = -errno;
		pr_err("--disk %s: fstat: %s", file->path, strerror(-err));
		goto err;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		pr_err("--disk %s: neither a file nor a block device; give a raw disk image",
		       file->path);
		err = -EINVAL;
		goto err;
	}
	err = measure(file, &st);
	if (err)
		goto err;
	if (S_ISBLK(st.st_mode))
		err = claim_device(file, flags);
	if (!err)
		err = lock_file(file, S_ISBLK(st.st_mode));
	if (err)
		goto err;
	blk_zero__probe(file);
	return 0;

err:
	blk_file__close(file);
	return err;
}

void blk_file__close(struct blk_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static int parse_disk(const char *arg)
{
	struct disk *disk;
	int err;

	if (ndisks == DISKS_MAX) {
		pr_err("--disk %s: there are %d disks already; leave some out", arg, DISKS_MAX);
		return -EINVAL;
	}
	disk = calloc(1, sizeof(*disk));
	if (!disk) {
		pr_err("--disk %s: out of memory", arg);
		return -ENOMEM;
	}
	err = blk_file__parse(&disk->file, arg);
	if (err) {
		free(disk);
		return err;
	}
	if (!disk->file.serial[0])
		snprintf(disk->file.serial, sizeof(disk->file.serial), "lkvm-disk-%u", ndisks);
	disks[ndisks++] = disk;
	return 0;
}

static int validate(void)
{
	for (unsigned int i = 0; i < ndisks; i++) {
		int err = blk_file__open(&disks[i]->file);

		if (err)
			return err;
	}
	return 0;
}

static void teardown(struct vm *vm)
{
	for (unsigned int i = ndisks; i-- > 0;) {
		if (disks[i]->added)
			blk__exit(&disks[i]->blk);
		disks[i]->added = false;
		blk_file__close(&disks[i]->file);
	}
}

static int setup(struct vm *vm)
{
	for (unsigned int i = 0; i < ndisks; i++) {
		int err = blk__init(&disks[i]->blk, vm, &disks[i]->file, i);

		if (err) {
			teardown(vm);
			return err;
		}
		disks[i]->added = true;
	}
	return 0;
}

static const struct option_def options[] = {
	{
	    .name = "disk",
	    .letter = 'd',
	    .arg = SYNTAX,
	    .help = "a raw image or block device as a virtio disk; repeatable, in PCI order",
	    .parse = parse_disk,
	},
	{ 0 },
};

static struct module module_blk = {
	.name = "virtio-blk",
	.level = MODULE_DEVICE,
	.options = options,
	.validate = validate,
	.setup = setup,
	.teardown = teardown,
};
LKVM_MODULE(module_blk)
