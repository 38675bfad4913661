/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * mapping THREADS PAGES SECONDS: what mapping and unmapping so many pages for DMA takes, as the kernel's
 * dma_map_benchmark measures it with the device that is bound to it.  Prints "mapping PAGES map NS unmap NS".
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* linux/map_benchmark.h, which distributions do not have yet. */
struct map_benchmark {
	unsigned long long map_100ns, map_stddev, unmap_100ns, unmap_stddev;
	unsigned int threads, seconds;
	int node;
	unsigned int dma_bits, direction, transfer_ns, granule;
	unsigned char rest[76];
};

int main(int argc, char **argv)
{
	struct map_benchmark b = { .node = -1,
				   .dma_bits = 64,
				   .direction = 2 /* from the device */ };
	int fd = open("/sys/kernel/debug/dma_map_benchmark", O_RDWR);

	if (argc != 4)
		return 2;
	b.threads = atoi(argv[1]);
	b.granule = atoi(argv[2]);
	b.seconds = atoi(argv[3]);
	if (fd < 0 || ioctl(fd, _IOWR('d', 1, struct map_benchmark), &b) < 0) {
		perror("dma_map_benchmark");
		return 1;
	}
	printf("mapping %u map %llu unmap %llu\n", b.granule, b.map_100ns * 100,
	       b.unmap_100ns * 100);
	return 0;
}
