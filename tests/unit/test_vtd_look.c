/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking at a translation: `lkvm debug --walk`, which changes nothing, and the trace of changes. */

#include "iommu/debug_entry.c"
#include "iommu/debug_walk.c"

#include "vtd_dma.h"

static char *text;
static size_t text_len;

const char *vtd_fault__text(u8 reason)
{
	return "why";
}

static void look(const char *arg)
{
	FILE *f;

	free(text);
	f = open_memstream(&text, &text_len);
	debug__walk(&vtd, arg, f);
	fclose(f);
}

static bool has(const char *line)
{
	const char *p = strstr(text, line);

	return p && (p == text || p[-1] == '\n');
}

static unsigned int count(const char *what)
{
	unsigned int n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* The text has a line of printf-style. */
#define HAS(...)                                                                                   \
	({                                                                                         \
		char line_[256];                                                                   \
		snprintf(line_, sizeof(line_), __VA_ARGS__);                                       \
		has(line_);                                                                        \
	})

#define FS_FLAGS 7 /* present, writable, user */

static u64 fs_top, ss_top;

/* PASID 5 of 00:02.0: nested, 0x1000 going to @page, read only, and the second stage to itself. */
static u64 nested(u64 page)
{
	start(VTD_TTM_SCALABLE);
	vtd.ecap |= ECAP_SSADS;
	ss_top = page_new();
	fs_top = page_new();
	for (u64 gpa = 0; gpa < GUEST_RAM; gpa += 2 * MiB)
		table_map(ss_top, 4, gpa, 2, gpa | BIT(7) | 3, 3);
	pasid_set(&vtd, SID, 5, PE(VTD_PGTT_NESTED) | PE_AW48 | BIT(9) | ss_top, 17 | PE_PWSNP,
		  fs_top);
	return table_map(fs_top, 4, 0x1000, 1, page | 5, FS_FLAGS);
}

static void test_nested(void)
{
	const u64 page = 0x700000, pte = nested(page);
	const u64 leaf = get(pte);
	struct vtd_stats before;

	memset(&vtd.stats, 0, sizeof(vtd.stats));
	vtd.stats.walks = 3;
	before = vtd.stats;
	look("00:02.0,5,0x1234");
	ok(HAS("root at 0x%llx: 0x%llx table=0x%llx\n", root_gpa(&vtd, SID),
	       get(root_gpa(&vtd, SID)), get(root_gpa(&vtd, SID)) & GENMASK(63, 12)),
	   "the root entry");
	ok(HAS("context at 0x%llx: 0x", context_gpa(&vtd, SID)) && strstr(text, " paside\n"),
	   "the context entry");
	ok(HAS("pasid-dir at 0x%llx: ", dir_gpa(&vtd, SID, 5)), "the directory entry");
	ok(HAS("pasid at 0x%llx: ", pasid_gpa(&vtd, SID, 5)) &&
	       strstr(text, " pgtt=nested did=17 fsptr="),
	   "the PASID entry");
	ok(HAS("fs level 4 of 0x1234 at 0x%llx: 0x%llx table=", fs_top, get(fs_top)) &&
	       HAS("fs level 1 of 0x1234 at 0x%llx: 0x%llx page=0x700000 P U/S\n", pte, leaf),
	   "the first stage's");
	ok(HAS("ss level 4 of 0x%llx at 0x%llx: 0x%llx table=", fs_top, ss_top, get(ss_top)),
	   "those of the second stage that lead to it");
	ok(HAS("ss level 2 of 0x%llx at ", page | 0x234) && strstr(text, " page=0x600000 R W PS\n"),
	   "and to the page");
	ok(has("read: 0x700234 (4 KiB page)\n"), "the outcome of a read");
	ok(has("write: fault 0x85 (why)\n"), "and of a write");
	ok(has("cached context: none\n") && has("cached iotlb: none\n"), "nothing is cached");
	eq(count("root at"), 1, "the steps are told once");

	ok(get(pte) == leaf && !(get(fs_top) & BIT(5)) && !(get(ss_top) & BIT(8)),
	   "no accessed bit is set");
	eq(n_faults, 0, "no fault recorded");
	ok(!memcmp(&vtd.stats, &before, sizeof(before)), "nothing counted");
	look("00:02.0,5,0x1234");
	ok(has("cached context: none\n"), "nor cached by having looked");

	ok(dma(SID, 5, 0x1234, R) && out_gpa == 0x700234 && (get(pte) & BIT(5)),
	   "a request sets it");
	look("00:02.0,5,0x1234");
	ok(has("cached context: as in memory\n") &&
	       has("cached iotlb: 0x700234 (4 KiB page) read\n"),
	   "and is seen in the caches");
	put(pte, 0x900000 | 7);
	put(pasid_gpa(&vtd, SID, 5) + 8, 18 | PE_PWSNP);
	look("00:02.0,5,0x1234");
	ok(has("cached context: not what is in memory: in use until it is invalidated\n") &&
	       has("cached iotlb: 0x700234 (4 KiB page) read\n") &&
	       has("read: 0x900234 (4 KiB page)\n") && has("write: 0x900234 (4 KiB page)\n"),
	   "as is what is stale there");
	ok(get(pte) == (0x900000 | 7), "and no dirty bit is set");

	put(ss_top, get(ss_top) & ~2ULL);
	look("00:02.0,5,0x1234");
	ok(has("read: fault 0x77 (why)\n"),
	   "what the second stage denies is told as it would fault");
	put(ss_top, 0);
	look("00:02.0,5,0x1234");
	ok(has("read: fault 0x79 (why)\n"), "also what is not there");
	put(ss_top, 0xff000000000ULL | 3);
	look("00:02.0,5,0x1234");
	ok(strstr(text, "cannot be read\n") && has("read: fault 0x78 (why)\n"),
	   "and what is not in memory");
}

static void test_others(void)
{
	u64 table;

	start(VTD_TTM_SCALABLE);
	look("00:02.0,0x1000");
	ok(strstr(text, " not present\n") && has("read: fault 0x39 (why)\n") &&
	       has("write: fault 0x39 (why)\n"),
	   "no root entry");
	pasid_set(&vtd, SID, 0, PE(VTD_PGTT_PT), 3, 0);
	look("00:02.0,0x1000");
	ok(has("read: 0x1000 (identity)\n") && has("write: 0x1000 (identity)\n"), "pass-through");
	look("00:02.0,0xfee01000");
	ok(has("read: fault 0x29 (why)\nwrite: an interrupt\n"), "the interrupt range");
	look("00:02.0,9,0xfee01000");
	ok(has("read: fault 0x59 (why)\n"), "which requests with PASID do not know");
	pasid_set(&vtd, SID, 0, PE(VTD_PGTT_PT) | 2, 3, 0);
	put(pasid_gpa(&vtd, SID, 0), 2);
	look("00:02.0,0x1000");
	ok(has("read: fault 0x59 (why) fpd\n"), "a fault that FPD silences");
	vtd.gsts = 0;
	look("00:02.0,0x1000");
	ok(has("read, write: 0x1000 (translation is off)\n"), "translation off");

	start(VTD_TTM_LEGACY);
	table = page_new();
	table_map(table, 4, 0x40000000, 3, 0x40000000 | BIT(7) | 2, 3);
	legacy_set(&vtd, SID, table | 1, 2 | 9 << 8);
	look("00:02.0,0x40000123");
	ok(strstr(text, " legacy tt=translate did=9 ssptr=") &&
	       strstr(text, " page=0x40000000 W PS\n"),
	   "legacy mode");
	ok(has("read: fault 0x06 (why)\n") && has("write: 0x40000123 (1 GiB page)\n"),
	   "write only");
	look("00:02.0,1,0x40000123");
	ok(has("read: fault 0x31 (why)\n"), "a PASID there");
}

static void test_arguments(void)
{
	static const char *const bad[] = { "",
					   "00:02.0",
					   "00:02.0,",
					   "00:02.0,,0x1000",
					   "00:02.0,1,",
					   "00:02.0,1,2,3",
					   "00:02.8,1",
					   "00:20.0,1",
					   "-1:02.0,1",
					   "00:02.0x,1",
					   "2,0x1000",
					   "00:02.0,0x100000,1",
					   "00:02.0,-1,1",
					   "00:02.0,0000000000000000000000000000000000001,1",
					   "00:02.0,0x10000000000000000" };

	start(VTD_TTM_SCALABLE);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		look(bad[i]);
		ok(!strncmp(text, "error: --walk ", 14) &&
		       strchr(text, '\n') == text + text_len - 1,
		   "\"%s\" is refused", bad[i]);
	}
	look("ff:1f.7,0xfffff,0xffffffffffffffff");
	ok(has("read: fault 0x"), "the largest numbers are not");
}

static bool traced(const char *what)
{
	return strstr(last_trace, what);
}

static void test_changes(void)
{
	const struct vtd_inv inv = { .gran = VTD_GRAN_GLOBAL };

	start(VTD_TTM_SCALABLE);
	trace_on[TRACE_vtd_table] = true;
	pasid_set(&vtd, SID, 5, PE(VTD_PGTT_PT), 3, 0);
	dma(SID, 5, 0x1000, R);
	last_trace[0] = 0;
	vtd_inv__pasid_cache(&vtd, &inv);
	ok(!*last_trace, "an invalidation that changes nothing is not told");
	dma(SID, 5, 0x1000, R);
	pasid_set(&vtd, SID, 5, PE(VTD_PGTT_FS), 4, page_new());
	ok(!*last_trace, "nor a change without one");
	vtd_inv__pasid_cache(&vtd, &inv);
	ok(traced("00:02.0 pasid 5: pass-through did=3 raw=101:3:0 -> first-stage did=4 fsptr=0x"),
	   "the invalidation tells: %s", last_trace);
	dma(SID, 5, 0x1000, R);
	last_trace[0] = 0;
	put(pasid_gpa(&vtd, SID, 5), 0);
	vtd_inv__context(&vtd, &inv);
	ok(traced("first-stage did=4 ") && traced(" -> none"), "an entry that went: %s",
	   last_trace);
	pasid_set(&vtd, SID, 5, PE(VTD_PGTT_PT), 3, 0);
	dma(SID, 5, 0x1000, R);
	last_trace[0] = 0;
	vtd.gsts = 0;
	vtd_inv__all(&vtd);
	ok(traced("pass-through did=3 ") && traced(" -> none"), "translation going off");
	trace_on[TRACE_vtd_table] = false;
}

int main(void)
{
	test_nested();
	test_others();
	test_arguments();
	test_changes();
	vtd_cache__free(vtd.cache);
	free(text);
	return tap_done();
}
