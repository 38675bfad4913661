/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `lkvm debug --iommu` and `lkvm stat --iommu` print: for scripts, bounded whatever the guest's
 * tables hold.
 */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/debug.c"
#include "iommu/debug_entry.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"
#include "iommu/stat.c"
#include "iommu/verbs.c"

static char *text;
static size_t text_len;

void vtd_bind__print(struct vtd *vtd, FILE *out)
{
	fprintf(out, "binding here\n");
}

void debug__walk(struct vtd *vtd, const char *arg, FILE *out)
{
	fprintf(out, "walk of %s\n", arg);
}

bool debug__check_walk(const char *arg, FILE *out)
{
	return true;
}

void module__register(struct module *m)
{
}

/* What the verb @name of @vm has to say. */
static void ask(struct vm *vm, const char *name, const char *arg)
{
	const struct control_verb *v = verbs;
	FILE *f;

	free(text);
	f = open_memstream(&text, &text_len);
	while (v->name && strcmp(v->name, name))
		v++;
	if (v->name)
		v->handle(vm, arg, f);
	fclose(f);
}

static struct vtd_cache cache;

static void print(struct vtd *vtd)
{
	struct vm vm = { .name = "m", .vtd = vtd };

	vtd->cache = &cache;
	ask(&vm, "iommu", "");
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
	struct vtd *vtd = fake__new(&vtd_config_emulated);
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
	cache = (struct vtd_cache){ .pages = { 3, 2 }, .fs = 1 };
	cache.ctx[5][1].key = CTX_VALID;
	vtd->pqa = 0x9001;
	vtd->pqh = 0x20;
	vtd->pqt = 0x40;
	vtd->prs = VTD_PRS_PPR;
	vtd->iqh = 0x10;
	vtd->iqt = 0x20;
	vtd->iqercd = 4;
	vtd->fsts |= VTD_FSTS_IQE;
	print(vtd);

	ok(has("cap: 0x") && has("ecap: 0x"), "capabilities");
	ok(has("gsts: 0xc0000000 RTPS TES\n"), "status by name");
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
	ok(has("fsts: 0x00000012 PPF IQE\n"), "fault status");
	ok(has("fault 00:03.0 write addr=0x5000 pasid=9 reason=0x59 (PASID entry not present)\n"),
	   "a DMA fault");
	ok(has("fault ff:1f.0 index=4 reason=0x22 (IRTE not present)\n"), "an interrupt fault");
	ok(strstr(text, " inv_wait=12 ") && has("counts: faults recorded=2 dropped=0 fpd=0\n"),
	   "counts");
	ok(has("counts: reasons 0x22=1 (IRTE not present) 0x59=1 (PASID entry not present)\n"),
	   "reasons");
	ok(has("cached: contexts=1 iotlb 4K=3 2M=2 1G=0 first-stage=1\n"), "caches");
	ok(has("page-requests: base=0x9000 bytes=8192 head=0x20 tail=0x40 prs=0x1 PPR\n"),
	   "the page request queue");
	ok(strstr(text, " head=0x10 tail=0x20 error=4 (reserved)\n"), "the queue, and its error");
	ok(!strstr(text, "stopped after"), "all of it");
	fake__free(vtd);
}

static void test_legacy(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);

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
	struct vtd *vtd = fake__new(&vtd_config_emulated);

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

static unsigned int count(const char *what)
{
	unsigned int n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void test_stat(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);
	struct vtd_fault fault = { .reason = 0x71, .pasid = DMA_NO_PASID, .fpd = true };
	struct vm vm = { .name = "m", .vtd = vtd };

	for (int i = 0; i < VTD_NFRCD + 2; i++)
		vtd_fault__record_ir(vtd, 0x10, 4, 0x22, false);
	vtd_fault__record(vtd, &fault);
	/* A bad tail, then a wait that is not known for one. */
	wr(vtd, VTD_RTADDR, 0x1000, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_SRTP, 4);
	wr(vtd, VTD_IQA, 0x2000, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_QIE, 4);
	wr(vtd, VTD_IQT, 0x1000, 8);
	wr(vtd, VTD_IQT, 0x10, 8);
	store(0x2000, 5);
	wr(vtd, VTD_FSTS, VTD_FSTS_IQE, 4);
	store(0x2010, 5 | BIT(8));
	wr(vtd, VTD_IQT, 0x20, 8);
	vtd->stats.desc[3] = 2;
	vtd->stats.desc[8] = 3;

	ask(&vm, "iommu-stat", "");
	ok(has("descriptors cc_inv=0 iotlb_inv=0 dev_tlb_inv=2 iec_inv=0 inv_wait=1 p_iotlb_inv=0 "
	       "pc_inv=0 p_dev_tlb_inv=3 page_grp_resp=0\n"),
	   "descriptors by the specification's names");
	ok(has("queue_errors tail=1 fetch=0 type=0 reserved=1 width=0 alignment=0 ttm=0 "
	       "timeout=0\n"),
	   "queue errors by cause");
	ok(has("faults recorded=8 dropped=2 fpd=1\n"), "faults");
	ok(has("reasons 0x22=10 (IRTE not present) 0x71=1 ("), "and each reason");
	ok(has("device_tlb translation_requests=0 translated_requests=0 invalidations=5\n"),
	   "device-TLB invalidations of both kinds");
	ok(text[text_len - 1] == '\n' && lines() == 12, "a line each");

	ask(&vm, "iommu-stat", "json");
	ok(!strncmp(text, "{\"descriptors\": {\"cc_inv\": 0, ", 30) &&
	       strstr(text, "\"reasons\": {\"0x22\": 10, \"0x71\": 1}, ") &&
	       !strcmp(text + text_len - 15, "\"blocked\": 0}}\n"),
	   "JSON");
	ok(lines() == 1 && count("{") == count("}") && count("\"") % 2 == 0 &&
	       !strstr(text, ", }") && !strstr(text, "}{") && !strstr(text, "{,"),
	   "that is well-formed");
	vtd->stats = (struct vtd_stats){ 0 };
	ask(&vm, "iommu-stat", "json");
	ok(strstr(text, "\"reasons\": {}, "), "also without a fault");

	ask(&vm, "walk", "x,y");
	ok(has("walk of x,y\n"), "walks");
	vm.vtd = NULL;
	for (const struct control_verb *v = verbs; v->name; v++) {
		char name[32];

		snprintf(name, sizeof(name), "%s", v->name);
		ask(&vm, name, "");
		ok(!strncmp(text, "error: m has no vIOMMU", 22) && lines() == 1,
		   "%s: without a vIOMMU, an error of one line", name);
	}
	fake__free(vtd);
}

int main(void)
{
	test_stat();
	test_scalable();
	test_legacy();
	test_hostile();
	free(text);
	return tap_done();
}
