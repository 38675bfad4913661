/* SPDX-License-Identifier: GPL-2.0-only */
/* What `lkvm debug --iommu` prints: for scripts, bounded whatever the guest's tables hold. */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/debug.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"

static char *text;
static size_t text_len;

void vtd_bind__print(struct vtd *vtd, FILE *out)
{
	fprintf(out, "binding here\n");
}

static void print(struct vtd *vtd)
{
	FILE *f;

	free(text);
	f = open_memstream(&text, &text_len);
	vtd_debug__print(vtd, f);
	fclose(f);
}

static void store(u64 gpa, u64 v)
{
	memcpy(fake_mem.ram + gpa, &v, sizeof(v));
}

static void set_root(struct vtd *vtd, u64 root)
{
	wr(vtd, VTD_RTADDR, root, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_SRTP, 4);
}

static bool has(const char *line)
{
	const char *p = strstr(text, line);

	return p && (p == text || p[-1] == '\n');
}

static unsigned int lines(void)
{
	unsigned int n = 0;

	for (const char *p = text; *p; p++)
		n += *p == '\n';
	return n;
}

static void test_scalable(void)
{
	struct vtd *vtd = fake__new(&fake_cfg);
	struct vtd_fault fault = {
		.reason = 0x59, .sid = 0x18, .pasid = 9, .addr = 0x5000, .access = DMA_WRITE
	};

	/* 00:03.0: PASIDs 0 (nested), 65 (first stage); 00:10.1 (upper half): second stage. */
	store(0x1000, 0x2000 | 1);
	store(0x1008, 0x3000 | 1);
	store(0x2000 + 32 * 0x18, 0x4000 | BIT(3) | 1);
	store(0x4000, 0x5000 | 1);
	store(0x4008, 0x6000 | 1);
	store(0x5000, 0xa000 | 2 << 2 | 3 << 6 | 1);
	store(0x5008, 17 | BIT(23));
	store(0x5010, 0xb000 | 1 << 2 | BIT(0) | BIT(4) | BIT(7));
	store(0x6040, 1 << 6 | BIT(1) | 1);
	store(0x6048, 18);
	store(0x6050, 0xc000);
	store(0x3000 + 32 * 1, 0x7000 | 1);
	store(0x7000, 0x8000 | 1);
	store(0x8000, 0xd000 | 1 << 2 | 2 << 6 | 1);
	store(0x8040, 4 << 6 | 1);
	set_root(vtd, 0x1400);
	wr(vtd, VTD_GCMD, VTD_GCMD_TE, 4);
	vtd_fault__record(vtd, &fault);
	vtd_fault__record_ir(vtd, SID_IOAPIC, 4, 0x22, false);
	vtd->stats.desc[5] = 12;
	print(vtd);

	ok(has("cap: 0x") && has("ecap: 0x"), "capabilities");
	ok(has("gsts: 0xc0000000 TES RTPS\n"), "status by name");
	ok(has("root: 0x1000 ttm=scalable\n"), "the root");
	ok(has("context 00:03.0 pasid-dir=0x4000 pasids=8192 rid-pasid=0 paside\n"), "a context");
	ok(has("pasid 00:03.0 0 pgtt=nested did=17 fsptr=0xb000 fs-levels=5 ssptr=0xa000 "
	       "ss-levels=4 "
	       "pwsnp sre wpe eafe\n"),
	   "a nested PASID entry");
	ok(has("pasid 00:03.0 65 pgtt=first-stage did=18 fsptr=0xc000 fs-levels=4 fpd\n"),
	   "a first-stage entry of the second directory entry");
	ok(has("context 00:10.1 "), "a function in the upper half");
	ok(has("pasid 00:10.1 0 pgtt=second-stage did=0 ssptr=0xd000 ss-levels=3\n"),
	   "a second-stage entry");
	ok(has("pasid 00:10.1 1 pgtt=pass-through did=0\n"), "a pass-through entry");
	ok(has("binding here\n"), "the bindings");
	ok(has("fsts: 0x00000002 PPF\n"), "fault status");
	ok(has("fault 00:03.0 write addr=0x5000 pasid=9 reason=0x59 (PASID entry not present)\n"),
	   "a DMA fault");
	ok(has("fault ff:1f.0 index=4 reason=0x22 (IRTE not present)\n"), "an interrupt fault");
	ok(strstr(text, " wait=12 ") && has("counts: faults=2 dropped=0\n"), "counts");
	ok(!strstr(text, "stopped after"), "all of it");
	fake__free(vtd);
}

static void test_legacy(void)
{
	struct vtd *vtd = fake__new(&fake_cfg);

	store(0x1010, 0x2000 | 1); /* bus 1 */
	store(0x2000 + 16 * 0xff, 0x9000 | 1);
	store(0x2000 + 16 * 0xff + 8, 2 | 0x1234 << 8);
	set_root(vtd, 0x1000);
	print(vtd);
	ok(has("context 01:1f.7 legacy tt=translate did=4660 ssptr=0x9000 ss-levels=4\n"),
	   "a legacy context");
	fake__free(vtd);
}

/* Each table points at itself, everything is present: 2^36 entries. */
static void test_hostile(void)
{
	struct vtd *vtd = fake__new(&fake_cfg);

	for (u64 gpa = 0; gpa < FAKE_RAM; gpa += 8)
		store(gpa, 0x1000 | 0xe00 | 1);
	set_root(vtd, 0x1400);
	print(vtd);
	ok(strstr(text, "tables: stopped after"), "stopped");
	ok(lines() < MAX_LINES + 100, "after a bounded number of lines");

	/* Directories that are present but empty: no lines, but reads. */
	memset(fake_mem.ram, 0, FAKE_RAM);
	for (u64 i = 0; i < 512; i++)
		store(0x1000 + 8 * i, 0x2000 | 1);
	for (u64 i = 0; i < 512; i++)
		store(0x2000 + 8 * i, 0x3000 | 0xe00 | 1);
	for (u64 i = 0; i < FAKE_RAM / 8 - 0x600; i++)
		store(0x3000 + 8 * i, 0xff0000 | 1);
	print(vtd);
	ok(strstr(text, "tables: stopped after"), "stopped by the number of entries too");

	set_root(vtd, FAKE_RAM | 0x400);
	print(vtd);
	ok(has("counts: ") && !strstr(text, "context 0"), "a root that is not in memory");
	set_root(vtd, GENMASK(63, 12) | 0x400);
	print(vtd);
	ok(has("counts: "), "nor anywhere");
	set_root(vtd, 0x1800);
	print(vtd);
	ok(has("root: 0x1000 ttm=reserved\n"), "a reserved table mode");
	fake__free(vtd);
}

int main(void)
{
	test_scalable();
	test_legacy();
	test_hostile();
	free(text);
	return tap_done();
}
