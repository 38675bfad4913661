/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * vtd                        each operation below: how many in a second
 * vtd OPERATION N [--empty]  N of one of them, for who counts instructions; with --empty the guest
 *                            does its part and the calls into the VT-d unit go nowhere
 *
 * Against the VT-d room as it is built for lkvm, with nothing of the machine but memory.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "iommu/vtd_regs.h"
#include "lkvm/trace.h"
#include "tests/unit/vtd_tables.h"

bool trace_on[TRACE_MAX];

void trace__emit(const char *event, const char *fmt, ...)
{
}

int irq__msi_direct(struct irqchip *irq, const struct msi_msg *msg)
{
	return 0;
}

void irq__refresh(struct irqchip *irq)
{
}

void vtd_turn__ask(struct vtd *unit)
{
	fprintf(stderr, "vtd: an operation is more than one turn of the queue\n");
	exit(1);
}

void vm__stop(struct vm *vm, int status)
{
	fprintf(stderr, "vtd: the machine was stopped with status %d\n", status);
	exit(1);
}

#define SID_SS	   0x10
#define SID_FS	   0x18
#define SID_NESTED 0x20
#define STAGE	   8 /* between them */

#define IOVA	 (1ULL << 32)
#define IOVA_BIG (1ULL << 33) /* of 2 MiB pages */

/* Pages that the caches hold at once, and more than they hold. */
#define FEW  64
#define MANY 32768

static struct vm vm = { .phys_bits = 46 };
static struct vtd vtd;

/* --- The guest --- */

static u64 queue, status;
static u32 tail;

#define QUEUE_PAGES 64 /* of 32-byte descriptors: 8192 */

static int empty_translate(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len)
{
	return 0;
}

static void empty_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
}

static int (*do_translate)(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len);
static void (*do_access)(struct bus_region *r, u64 off, u8 *data, u32 len, bool write);

static void reg_write(u32 off, u64 val, u32 len)
{
	vtd_regs__access(&vtd.mmio, off, (u8 *)&val, len, true);
}

/* Both stages: MANY pages of 4 KiB, and of 2 MiB, all to the same page of RAM; tables identity. */
static u64 second_stage(void)
{
	const u64 top = page_new(), to = 32 * MiB;

	for (u64 addr = 0; addr < GUEST_RAM; addr += 4 * KiB)
		table_map(top, 4, addr, 1, addr | 3, 3);
	for (u64 i = 0; i < MANY; i++) {
		table_map(top, 4, IOVA + i * 4 * KiB, 1, to | 3, 3);
		table_map(top, 4, IOVA_BIG + i * 2 * MiB, 2, to | BIT(7) | 3, 3);
	}
	return top;
}

static u64 first_stage(void)
{
	const u64 top = page_new(), to = 32 * MiB, flags = 0x67; /* D, A, U/S, R/W, P */

	for (u64 i = 0; i < MANY; i++) {
		table_map(top, 4, IOVA + i * 4 * KiB, 1, to | flags, flags);
		table_map(top, 4, IOVA_BIG + i * 2 * MiB, 2, to | BIT(7) | flags, flags);
	}
	return top;
}

static void setup(void)
{
	u64 fs, ss;

	tables_reset();
	vtd = (struct vtd){ .vm = &vm, .mem = guest_mem, .cfg = vtd_config_emulated };
	vtd.cache = vtd_cache__new();
	if (!vtd.mem || !vtd.cache || vtd_cap__build(&vtd.cfg, &vtd.cap, &vtd.ecap))
		exit(1);
	vtd_regs__reset(&vtd);

	vtd.root = page_new() | VTD_TTM_SCALABLE
				    << 10; /* for the helpers; the guest's write is below */
	fs = first_stage();
	ss = second_stage();
	pasid_set(&vtd, SID_SS, 0, PE(VTD_PGTT_SS) | PE_AW48 | ss, 1, 0);
	pasid_set(&vtd, SID_FS, 0, PE(VTD_PGTT_FS), PE_PWSNP | 2, fs);
	pasid_set(&vtd, SID_NESTED, 0, PE(VTD_PGTT_NESTED) | PE_AW48 | ss, PE_PWSNP | 3, fs);

	status = page_new();
	queue = page_new();
	guest_next += (QUEUE_PAGES - 1) * 4 * KiB;
	reg_write(VTD_IQA, queue | VTD_IQA_DW | 6, 8);
	reg_write(VTD_RTADDR, vtd.root, 8);
	reg_write(VTD_GCMD, VTD_GCMD_SRTP, 4);
	reg_write(VTD_GCMD, VTD_GCMD_QIE, 4);
	reg_write(VTD_GCMD, VTD_GCMD_QIE | VTD_GCMD_TE, 4);
}

static void submit(u64 lo, u64 hi)
{
	u64 *desc = mem__ptr(guest_mem, queue + tail, 32);

	desc[0] = lo;
	desc[1] = hi;
	desc[2] = desc[3] = 0;
	tail = (tail + 32) % (QUEUE_PAGES * 4 * KiB);
}

static void submit_wait(void)
{
	u32 val;

	submit(5 | BIT(5) | 1ULL << 32, status);
	val = tail;
	do_access(&vtd.mmio, VTD_IQT, (u8 *)&val, 4, true);
}

static void dma(u16 sid, u64 addr)
{
	const struct dma_req req = {
		.addr = addr, .pasid = DMA_NO_PASID, .sid = sid, .access = DMA_READ
	};
	u64 gpa, len;

	if (do_translate(&vtd, &req, &gpa, &len)) {
		fprintf(stderr, "vtd: %04x: %llx is not translated\n", sid, addr);
		exit(1);
	}
}

/* --- Operations: one each; @i counts them --- */

static void op_wait(u16 sid, u32 i)
{
	submit_wait();
}

static void op_iotlb(u16 sid, u32 i)
{
	submit(2 | 3 << 4 | 1 << 16, IOVA + i % MANY * 4 * KiB);
	submit_wait();
}

static void op_piotlb(u16 sid, u32 i)
{
	submit(6 | 3 << 4 | 2 << 16, IOVA + i % MANY * 4 * KiB);
	submit_wait();
}

static void op_pasid(u16 sid, u32 i)
{
	submit(7 | 1 << 4 | 2 << 16, 0);
	submit_wait();
}

static void op_iec(u16 sid, u32 i)
{
	submit(4 | BIT(4) | (u64)(i & 0xffff) << 32, 0);
	submit_wait();
}

static void op_few(u16 sid, u32 i)
{
	dma(sid, IOVA + i % FEW * 4 * KiB);
}

static void op_many(u16 sid, u32 i)
{
	dma(sid, IOVA + i % MANY * 4 * KiB);
}

static void op_few_big(u16 sid, u32 i)
{
	dma(sid, IOVA_BIG + i % FEW * 2 * MiB);
}

static void op_many_big(u16 sid, u32 i)
{
	dma(sid, IOVA_BIG + i % MANY * 2 * MiB);
}

static const struct op {
	const char *name, *text;
	void (*run)(u16 sid, u32 i);
	u16 sid;
} ops[] = {
	{ "wait", "wait with status write", op_wait, 0 },
	{ "iotlb", "IOTLB, one page, and wait", op_iotlb, 0 },
	{ "piotlb", "PASID-based IOTLB, one page, and wait", op_piotlb, 0 },
	{ "pasid", "PASID cache, one PASID, and wait", op_pasid, 0 },
	{ "iec", "interrupt entry cache, one index, and wait", op_iec, 0 },
	{ "hit-ss", "4 KiB hit, second stage", op_few, SID_SS },
	{ "hit-fs", "4 KiB hit, first stage", op_few, SID_FS },
	{ "hit-nested", "4 KiB hit, nested", op_few, SID_NESTED },
	{ "hit-ss-2m", "2 MiB hit, second stage", op_few_big, SID_SS },
	{ "hit-fs-2m", "2 MiB hit, first stage", op_few_big, SID_FS },
	{ "hit-nested-2m", "2 MiB hit, nested with 4 KiB in the second stage", op_few_big,
	  SID_NESTED },
	{ "miss-ss", "4 KiB miss, second stage", op_many, SID_SS },
	{ "miss-fs", "4 KiB miss, first stage", op_many, SID_FS },
	{ "miss-nested", "4 KiB miss, nested", op_many, SID_NESTED },
	{ "miss-ss-2m", "2 MiB miss, second stage", op_many_big, SID_SS },
	{ "miss-fs-2m", "2 MiB miss, first stage", op_many_big, SID_FS },
	{ "miss-nested-2m", "2 MiB miss, nested", op_many_big, SID_NESTED },
};

static void calls(bool empty)
{
	do_translate = empty ? empty_translate : vtd_dma_ops.translate;
	do_access = empty ? empty_access : vtd_regs__access;
}

/* Caches as after a long time of the same, and as the other operations left none of it. */
static void warm_up(const struct op *op)
{
	vtd_cache__clear(vtd.cache);
	calls(false);
	for (u32 i = 0; i < FEW; i++)
		op->run(op->sid, i);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* The best of five times a twentieth of a second: what other work on the machine takes least from. */
static double rate(const struct op *op)
{
	double best = 0;

	warm_up(op);
	for (int n = 0; n < 5; n++) {
		const double start = now();
		double end;
		u32 i = 0;

		do {
			for (u32 batch = 0; batch < 4096; batch++)
				op->run(op->sid, i++);
			end = now();
		} while (end < start + 0.05);
		best = MAX(best, i / (end - start));
	}
	return best;
}

int main(int argc, char **argv)
{
	const bool all = argc == 1;
	const u32 times = argc > 2 ? atoi(argv[2]) : 0;
	u32 n = 0;

	if (!all && argc != 3 && argc != 4) {
		fprintf(stderr, "usage: vtd [OPERATION N [--empty]]\n");
		return 2;
	}
	setup();
	for (u32 k = 0; k < ARRAY_SIZE(ops); k++) {
		const struct op *op = &ops[k];

		if (all) {
			printf("%s %.0f %s\n", op->name, rate(op), op->text);
			n++;
		} else if (!strcmp(argv[1], op->name)) {
			warm_up(op);
			calls(argc == 4);
			for (u32 i = 0; i < times; i++)
				op->run(op->sid, i);
			n++;
		}
	}
	if (!n)
		fprintf(stderr, "vtd: %s: no such operation\n", argv[1]);
	return !n || vtd.iqh != vtd.iqt || vtd.fsts;
}
