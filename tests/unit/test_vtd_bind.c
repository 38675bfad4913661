/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bindings of guest PASID entries to host page tables, over a host that writes down every call, can
 * refuse any of them, and knows what is attached where: the table of states, the order of calls, each
 * point of failure, and at random.
 */

#include "vtd_guest.h"

#include "iommu/bind.c"
#include "iommu/bind_dev.c"
#include "iommu/bind_host.c"
#include "iommu/bind_inv.c"
#include "iommu/cache.c"
#include "iommu/inv.c"

#define SID  0x18
#define SID2 0x20
#define PARENT 90

static struct vtd vtd;

/* --- The host --- */

#define MAX_HWPT 4096
#define MAX_AT	 64

static struct {
	char log[8192];
	int fail_alloc, fail_attach, fail_detach, fail_free; /* errno of the next @times calls */
	unsigned int times;
	u32 inv_limit;	  /* ranges done before -EIO; ~0: all */
	bool inv_all_fail; /* a flush of everything fails too */
	u32 next;
	bool live[MAX_HWPT];
	struct host_s1 s1[MAX_HWPT];
	struct at {
		void *dev;
		u32 pasid, hwpt;
	} at[MAX_AT];
	unsigned int wrong; /* what must never happen */
} host;

static void note(const char *fmt, ...) __printf(1, 2);
static void note(const char *fmt, ...)
{
	const size_t len = strlen(host.log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(host.log + len, sizeof(host.log) - len, fmt, ap);
	va_end(ap);
}

static const char *pasid_name(u32 pasid)
{
	static char text[16];

	if (pasid == HOST_RID)
		return "rid";
	snprintf(text, sizeof(text), "%u", pasid);
	return text;
}

static int refuse(int *which)
{
	if (!*which || !host.times)
		return 0;
	host.times--;
	note("!");
	return *which;
}

static struct at *at_find(void *dev, u32 pasid, bool make)
{
	struct at *unused = NULL;

	for (int i = 0; i < MAX_AT; i++) {
		if (host.at[i].hwpt && host.at[i].dev == dev && host.at[i].pasid == pasid)
			return &host.at[i];
		if (!host.at[i].hwpt && !unused)
			unused = &host.at[i];
	}
	if (!make)
		return NULL;
	*unused = (struct at){ .dev = dev, .pasid = pasid };
	return unused;
}

static u32 attached(void *dev, u32 pasid)
{
	const struct at *at = at_find(dev, pasid, false);

	return at ? at->hwpt : 0;
}

static int fake_alloc(void *dev, const struct host_s1 *s1, u32 *hwpt)
{
	int err = refuse(&host.fail_alloc);

	if (err) {
		note("alloc ");
		return err;
	}
	*hwpt = ++host.next;
	host.live[*hwpt] = true;
	host.s1[*hwpt] = *s1;
	note("alloc=%u ", *hwpt);
	return 0;
}

static int fake_free(void *dev, u32 hwpt)
{
	int err = refuse(&host.fail_free);

	note("free:%u ", hwpt);
	if (err)
		return err;
	host.wrong += !host.live[hwpt];
	for (int i = 0; i < MAX_AT; i++)
		host.wrong += host.at[i].hwpt == hwpt;
	host.live[hwpt] = false;
	return 0;
}

static int fake_attach(void *dev, u32 pasid, u32 hwpt)
{
	int err = refuse(&host.fail_attach);

	note("attach:%s=%u ", pasid_name(pasid), hwpt);
	if (err)
		return err;
	host.wrong += hwpt != PARENT && !host.live[hwpt];
	at_find(dev, pasid, true)->hwpt = hwpt;
	return 0;
}

static int fake_detach(void *dev, u32 pasid)
{
	struct at *at = at_find(dev, pasid, false);
	int err = refuse(&host.fail_detach);

	note("detach:%s ", pasid_name(pasid));
	if (err)
		return err;
	if (at)
		at->hwpt = 0;
	return 0;
}

static int fake_invalidate(void *dev, u32 hwpt, const struct host_inv *inv, u32 *n)
{
	note("inv:%u", hwpt);
	host.wrong += !host.live[hwpt];
	for (u32 i = 0; i < *n; i++) {
		if (inv[i].npages == ~0ULL)
			note("[all]");
		else
			note("[%llx+%llx%s]", inv[i].addr, inv[i].npages, inv[i].leaf ? "L" : "");
		host.wrong += !IS_ALIGNED(inv[i].addr, 4096);
	}
	note(" ");
	if (inv->npages == ~0ULL) {
		if (!host.inv_all_fail)
			return 0;
		*n = 0;
		return -EIO;
	}
	if (*n > host.inv_limit) {
		*n = host.inv_limit;
		return -EIO;
	}
	return 0;
}

static const struct host_iommu_ops fake_ops = {
	.alloc = fake_alloc, .free = fake_free, .attach = fake_attach, .detach = fake_detach,
	.invalidate = fake_invalidate,
};

static struct host_device fake_device(void *dev)
{
	return (struct host_device){
		.ops = &fake_ops, .dev = dev, .name = "0000:00:03.0", .parent = PARENT,
		.info = { .vtd = true, .max_pasid_log2 = 16,
			  .cap = BIT(56) | BIT(60) | 47ULL << 16,
			  .ecap = BIT(6) | BIT(26) | BIT(31) | BIT(34) | BIT(40) | BIT(43) | BIT(46) |
				  BIT(47) | BIT(48) | 19ULL << 35 },
	};
}

static unsigned int live_hwpts(void)
{
	unsigned int n = 0;

	for (u32 i = 0; i < MAX_HWPT; i++)
		n += host.live[i];
	return n;
}

/* What was called since the last time. */
static bool log_is(const char *want)
{
	const bool same = !strcmp(host.log, want);

	if (!same)
		printf("# calls: %s\n# want:  %s\n", host.log, want);
	host.log[0] = '\0';
	return same;
}

/* --- The guest --- */

static const struct vtd_config config_nested = {
	.aw = 48, .scalable = true, .fs = true, .pt = true, .fl5 = true, .fs1gp = true, .srs = true,
	.eafs = true, .smpwc = true, .ir = true, .eim = true, .cm = true, .pasid_bits = 20,
	.assigned = true,
};

static char dev_a, dev_b; /* only their addresses count */
static u64 fs1, fs2;

/* A guest with one device, or two, before it switches translation on. */
static void start(enum vtd_ttm ttm, int devices)
{
	struct vtd_cache *cache = vtd.cache ? vtd.cache : vtd_cache__new();
	struct host_device a = fake_device(&dev_a), b = fake_device(&dev_b);

	vtd_bind__free(&vtd);
	unit_init(&vtd, &config_nested, ttm);
	vtd.cache = cache;
	vtd.gsts = 0;
	memset(&host, 0, sizeof(host));
	host.next = 99;
	host.inv_limit = ~0u;
	vtd__add_device(&vtd, SID, &a);
	at_find(&dev_a, HOST_RID, true)->hwpt = PARENT;
	if (devices > 1) {
		vtd__add_device(&vtd, SID2, &b);
		at_find(&dev_b, HOST_RID, true)->hwpt = PARENT;
	}
	fs1 = page_new();
	fs2 = page_new();
}

static void te(bool on)
{
	vtd.gsts = on ? BIT(31) : 0;
	vtd_inv__all(&vtd);
}

static void pc(u16 did, u32 pasid)
{
	vtd_inv__pasid_cache(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = did,
						      .pasid = pasid });
}

static void pc_domain(u16 did)
{
	vtd_inv__pasid_cache(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = did });
}

static void pc_global(void)
{
	vtd_inv__pasid_cache(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
}

static void cc(u16 sid)
{
	vtd_inv__context(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = sid });
}

static void piotlb(u16 did, u32 pasid, u64 addr, u8 am, bool ih)
{
	vtd_inv__piotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = did, .pasid = pasid,
						 .addr = addr, .am = am, .ih = ih });
}

static void wait(void)
{
	vtd_inv__sync(&vtd);
}

static void set_fs(u16 sid, u32 pasid, u16 did, u64 fsptr)
{
	pasid_set(&vtd, sid, pasid, PE(1), did | PE_PWSNP, fsptr);
}

static struct binding *rid(void)
{
	return &vtd.binds->rid;
}

static bool rid_is(enum bind_state state, u32 hwpt)
{
	const u32 now = state == BIND_NESTED ? rid()->hwpt->id : 0;

	return rid()->state == state && now == hwpt &&
	       attached(&dev_a, HOST_RID) == (state == BIND_PARENT ? PARENT : now);
}

/* Translation on, the RID on first stage fs1 in domain 5, HWPT 100. */
static void start_nested(void)
{
	start(VTD_TTM_SCALABLE, 1);
	te(true);
	set_fs(SID, 0, 5, fs1);
	pc(5, 0);
	wait();
	host.log[0] = '\0';
	n_faults = 0;
}

/* --- Devices --- */

static void test_add(void)
{
	struct host_device h = fake_device(&dev_a);
	static const struct {
		int bit;
		const char *word;
	} needed[] = { { 43, "scalable" }, { 47, "first-stage" }, { 46, "second-stage" },
		       { 26, "nested" } };

	start(VTD_TTM_SCALABLE, 1);
	ok(!vtd__host_lacks(&h.info), "a nested-capable host lacks nothing");
	for (unsigned int i = 0; i < ARRAY_SIZE(needed); i++) {
		h = fake_device(&dev_a);
		h.info.ecap &= ~BIT(needed[i].bit);
		ok(vtd__host_lacks(&h.info) && strstr(vtd__host_lacks(&h.info), needed[i].word),
		   "a host without %s is named so", needed[i].word);
		eq(vtd__add_device(&vtd, SID2, &h), -EOPNOTSUPP, "and refused");
	}
	h = fake_device(&dev_a);
	h.info.vtd = false;
	ok(strstr(vtd__host_lacks(&h.info), "VT-d"), "so is another kind of IOMMU");
	h = fake_device(&dev_a);
	h.info.cap = 24ULL << 16;
	eq(vtd__add_device(&vtd, SID2, &h), -EOPNOTSUPP, "memory above MGAW is refused");
	ok(vtd.binds && !vtd.binds->next, "what was refused is not there");

	ok((vtd.ecap & ECAP_SRS) && (vtd.ecap & ECAP_EAFS) && (vtd.cap & CAP_FS5LP) &&
	   (vtd.cap & CAP_FS1GP) && (vtd.cap & BIT(7)), "what the host has is offered, and CM");
	h = fake_device(&dev_a);
	h.info.ecap = (h.info.ecap & ~(ECAP_SRS | ECAP_SMPWCS | GENMASK(39, 35))) | 9ULL << 35;
	h.info.cap &= ~(CAP_FS5LP | CAP_FS1GP);
	eq(vtd__add_device(&vtd, SID2, &h), 0, "a lesser host is taken");
	ok(!(vtd.ecap & (ECAP_SRS | ECAP_EAFS | ECAP_SMPWCS)) && !(vtd.cap & (CAP_FS5LP | CAP_FS1GP)),
	   "and narrows the offer");
	eq(FIELD(vtd.ecap, 39, 35) + 1, 10, "PASID width too");
	h.info.ecap &= ~ECAP_PASID;
	eq(vtd__add_device(&vtd, SID2 + 8, &h), 0, "a host without PASIDs is taken");
	ok(!vtd.cfg.pasid_bits && !(vtd.ecap & ECAP_PASID), "and there are none");

	vtd.cfg.assigned = false;
	eq(vtd__add_device(&vtd, SID2 + 16, &h), -EOPNOTSUPP, "plain vtd takes no devices");
}

/* --- The table --- */

static void test_table(void)
{
	start(VTD_TTM_SCALABLE, 1);
	ok(rid_is(BIND_PARENT, 0), "handed over on the parent");
	pc_global();
	cc(SID);
	wait();
	ok(log_is("") && rid_is(BIND_PARENT, 0), "translation off: nothing happens");

	te(true);
	ok(log_is("detach:rid ") && rid_is(BIND_BLOCKED, 0), "on, no context entry: blocked");
	eq(n_faults, 0, "which is no fault");
	sm_context_set(&vtd, SID);
	cc(SID);
	ok(log_is("") && rid_is(BIND_BLOCKED, 0), "context entry, no PASID entry: blocked");

	set_fs(SID, 0, 5, fs1);
	pc(5, 0);
	ok(log_is("alloc=100 attach:rid=100 ") && rid_is(BIND_NESTED, 100), "first-stage: nested");
	ok(host.s1[100].pgtbl == fs1 && host.s1[100].width == 48 && !host.s1[100].sre &&
	   !host.s1[100].eafe && !host.s1[100].wpe, "with the entry's table");
	pc(5, 0);
	pc_domain(5);
	pc_global();
	cc(SID);
	wait();
	ok(log_is(""), "an equal entry does nothing");

	set_fs(SID, 0, 6, fs2 | 1 | 1 << 2 | BIT(4) | BIT(7));
	pc(5, 0);
	ok(log_is("alloc=101 attach:rid=101 free:100 "), "a changed entry: new, attach, free the old");
	ok(host.s1[101].pgtbl == fs2 && host.s1[101].width == 57 && host.s1[101].sre &&
	   host.s1[101].eafe && host.s1[101].wpe, "with all its bits");

	pasid_set(&vtd, SID, 0, PE(4), 7, 0);
	pc(6, 0);
	ok(log_is("attach:rid=90 free:101 ") && rid_is(BIND_PARENT, 0), "pass-through: parent");
	pc(7, 0);
	ok(log_is(""), "equal: nothing");
	set_fs(SID, 0, 5, fs1);
	pc(7, 0);
	ok(log_is("alloc=102 attach:rid=102 "), "parent to nested is one attach");
	put(pasid_gpa(&vtd, SID, 0), 0);
	pc(5, 0);
	ok(log_is("detach:rid free:102 ") && rid_is(BIND_BLOCKED, 0), "entry gone: blocked");
	eq(n_faults, 0, "none of this is a fault");

	pasid_set(&vtd, SID, 0, PE(4), 7, 0);
	pc(7, 0);
	ok(log_is("attach:rid=90 "), "blocked to pass-through");
	pasid_set(&vtd, SID, 0, PE(2) | PE_AW48, 8, 0);
	pc(7, 0);
	ok(log_is("detach:rid ") && rid_is(BIND_BLOCKED, 0), "second-stage: blocked");
	ok(n_faults == 1 && last_fault.reason == 0x5b && last_fault.sid == SID &&
	   last_fault.pasid == DMA_NO_PASID, "and a fault");
	pc_global();
	eq(n_faults, 1, "told once");
	pasid_set(&vtd, SID, 0, PE(1) | BIT(5), 8, fs1);
	pc_global();
	ok(n_faults == 2 && last_fault.reason == 0x5a, "another cause is another fault");
	set_fs(SID, 0, 5, GUEST_RAM);
	pc_global();
	ok(n_faults == 3 && last_fault.reason == 0x73, "a first-stage table outside RAM");
	ok(log_is("") && rid_is(BIND_BLOCKED, 0), "the host was not asked");
	pasid_set(&vtd, SID, 0, PE(3) | PE_AW48 | 2, 8, fs1);
	pc_global();
	ok(last_fault.reason == 0x5b && last_fault.fpd, "FPD goes with the fault");
	eq(vtd.stats.bind_failed, 5, "each attempt is counted");

	/* Back to life */
	set_fs(SID, 0, 5, fs1);
	pc(5, 0);
	ok(log_is("alloc=103 attach:rid=103 "), "then a good entry is served");
	te(false);
	ok(log_is("attach:rid=90 free:103 ") && rid_is(BIND_PARENT, 0), "off: parent");
	te(true);
	ok(log_is("alloc=104 attach:rid=104 ") && rid_is(BIND_NESTED, 104), "on again: nested at once");
	te(true);
	ok(log_is("inv:104[all] "), "SRTP flushes what stays (6.6)");
	vtd_bind__reset(&vtd);
	ok(log_is("attach:rid=90 free:104 ") && rid_is(BIND_PARENT, 0), "reset: parent");
	vtd_bind__reset(&vtd);
	ok(log_is(""), "reset again: nothing");
	eq(live_hwpts() + host.wrong, 0, "nothing is left");
	eq(stopped, -1, "the VM runs");
}

static void test_modes(void)
{
	start(VTD_TTM_LEGACY, 1);
	legacy_set(&vtd, SID, 1 | 2 << 2, 2 | 5 << 8);
	te(true);
	ok(log_is("") && rid_is(BIND_PARENT, 0), "legacy pass-through: parent");
	legacy_set(&vtd, SID, 0, 0);
	vtd_inv__context(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 6 });
	ok(log_is(""), "legacy, another domain: nothing");
	vtd_inv__context(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 });
	ok(log_is("detach:rid ") && !n_faults, "legacy, entry absent: blocked");
	legacy_set(&vtd, SID, 1 | 0x5000, 2 | 5 << 8);
	cc(SID);
	ok(log_is("") && n_faults == 1 && last_fault.reason == 0x3, "legacy second stage: a fault");
	legacy_set(&vtd, SID, 1 | 2 << 2, 2 | 5 << 8);
	cc(SID2);
	ok(log_is(""), "another device's invalidation: nothing");
	vtd_inv__context(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = SID | 7, .fm = 3 });
	ok(log_is("attach:rid=90 "), "the function mask covers it");

	start_nested();
	vtd.root = (vtd.root & ~GENMASK(11, 10)) | 3 << 10;
	vtd.ecap |= ECAP_ADMS;
	te(true);
	ok(log_is("detach:rid free:100 ") && rid_is(BIND_BLOCKED, 0) && !n_faults,
	   "abort-dma: blocked, no fault");
	vtd.root = (vtd.root & ~GENMASK(11, 10)) | 2 << 10;
	te(true);
	ok(rid_is(BIND_BLOCKED, 0) && n_faults == 1 && last_fault.reason == 0x30, "TTM 10: a fault");
	vtd.root = GUEST_RAM | 1 << 10;
	te(true);
	ok(n_faults == 2 && last_fault.reason == 0x38, "a root table outside RAM: a fault");
}

static void test_matching(void)
{
	start_nested();
	put(pasid_gpa(&vtd, SID, 0), 0);
	pc(6, 0);
	pc(5, 1);
	pc_domain(6);
	ok(log_is("") && rid_is(BIND_NESTED, 100), "another domain or PASID: not matched");
	pc_domain(5);
	ok(log_is("detach:rid free:100 "), "its domain: matched by what was cached");
	set_fs(SID, 0, 5, fs1);
	pc(5, 1);
	pc(77, 0);
	ok(log_is("alloc=101 attach:rid=101 "), "an entry that becomes present has no domain yet");
	set_fs(SID, 0, 9, fs2);
	pc(9, 0);
	ok(log_is("alloc=102 attach:rid=102 free:101 "), "the new domain of a changed entry matches");
	set_fs(SID, 0, 10, fs2);
	pc(9, 0);
	ok(log_is("alloc=103 attach:rid=103 free:102 "), "a changed domain alone is a change");

	start(VTD_TTM_SCALABLE, 2);
	te(true);
	set_fs(SID, 0, 5, fs1);
	set_fs(SID2, 0, 5, fs1);
	host.log[0] = '\0';
	pc(5, 0);
	ok(log_is("alloc=100 attach:rid=100 alloc=101 attach:rid=101 "), "each device has its own");
	piotlb(5, 0, 0x1000, 0, false);
	wait();
	ok(log_is("inv:100[1000+1] inv:101[1000+1] "), "an invalidation goes to each");
	put(pasid_gpa(&vtd, SID2, 0), 0);
	cc(SID);
	ok(log_is(""), "the other device is not looked at");
	cc(SID2);
	ok(log_is("detach:rid free:101 "), "this one is");
}

/* --- Refusals --- */

static void test_alloc_fails(void)
{
	start_nested();
	set_fs(SID, 0, 5, fs2);
	host.fail_alloc = -ENOMEM;
	host.times = 1;
	pc(5, 0);
	ok(log_is("!alloc detach:rid free:100 "), "alloc refused: the old one goes");
	ok(rid_is(BIND_BLOCKED, 0) && !rid()->valid && n_faults == 1 && last_fault.reason == 0x5b,
	   "blocked, and a fault");
	pc_global();
	ok(log_is("alloc=101 attach:rid=101 ") && rid_is(BIND_NESTED, 101),
	   "the next invalidation tries again");
	eq(n_faults, 1, "without another fault");
	eq(live_hwpts(), 1, "nothing leaks");
}

static void test_attach_fails(void)
{
	start_nested();
	set_fs(SID, 0, 5, fs2);
	host.fail_attach = -EINVAL;
	host.times = 1;
	pc(5, 0);
	ok(log_is("alloc=101 !attach:rid=101 free:101 detach:rid free:100 "),
	   "attach refused: the new one goes, then the old one");
	ok(rid_is(BIND_BLOCKED, 0) && !rid()->valid && n_faults == 1, "blocked, and a fault");
	host.times = 1;
	pc_global();
	ok(log_is("alloc=102 !attach:rid=102 free:102 ") && n_faults == 1, "still refused: no new fault");
	pc_global();
	ok(log_is("alloc=103 attach:rid=103 "), "then accepted");
	host.times = 1;
	set_fs(SID, 0, 5, fs1);
	pc(5, 0);
	eq(n_faults, 2, "a new refusal is a new fault");
	host.log[0] = '\0';

	/* To pass-through: never the parent by mistake, and not the old one either. */
	start_nested();
	pasid_set(&vtd, SID, 0, PE(4), 5, 0);
	host.fail_attach = -EBUSY;
	host.times = 1;
	pc(5, 0);
	ok(log_is("!attach:rid=90 detach:rid free:100 ") && rid_is(BIND_BLOCKED, 0),
	   "parent refused: blocked");
	set_fs(SID, 0, 5, fs1 | BIT(4));
	host.times = 1;
	pc(5, 0);
	ok(rid_is(BIND_BLOCKED, 0), "a refused first attach leaves it blocked");
	eq(live_hwpts(), 0, "nothing leaks");
}

static void test_detach_fails(void)
{
	start_nested();
	put(pasid_gpa(&vtd, SID, 0), 0);
	host.fail_detach = -EIO;
	host.times = 1;
	pc(5, 0);
	ok(log_is("!detach:rid ") && rid_is(BIND_NESTED, 100) && !rid()->valid,
	   "detach refused: its page table stays");
	eq(n_faults, 1, "and a fault");
	eq(stopped, -1, "the VM runs");
	pc_global();
	ok(log_is("detach:rid free:100 ") && rid_is(BIND_BLOCKED, 0), "tried again");
	eq(live_hwpts() + host.wrong, 0, "then destroyed");

	start_nested();
	put(pasid_gpa(&vtd, SID, 0), 0);
	host.fail_detach = -EIO;
	host.times = 1;
	pc(5, 0);
	wait();
	ok(log_is("!detach:rid detach:rid free:100 ") && stopped == -1, "a wait tries again too");

	start_nested();
	put(pasid_gpa(&vtd, SID, 0), 0);
	host.fail_detach = -EIO;
	host.times = 2;
	pc(5, 0);
	wait();
	ok(log_is("!detach:rid !detach:rid ") && stopped == VM_ISOLATION,
	   "a wait does not complete over it: the VM stops");

	start_nested();
	put(pasid_gpa(&vtd, SID, 0), 0);
	host.fail_detach = -EIO;
	host.times = 1;
	pc(5, 0);
	set_fs(SID, 0, 6, fs2);
	pc(6, 0);
	wait();
	ok(log_is("!detach:rid alloc=101 attach:rid=101 free:100 ") && rid_is(BIND_NESTED, 101) &&
	   stopped == -1, "a new entry replaces what was stuck");

	/* Refused while blocking for a refused attach */
	start_nested();
	set_fs(SID, 0, 5, fs2);
	host.fail_attach = -EINVAL;
	host.fail_detach = -EIO;
	host.times = 2;
	pc(5, 0);
	ok(log_is("alloc=101 !attach:rid=101 free:101 !detach:rid ") && rid_is(BIND_NESTED, 100) &&
	   !rid()->valid && n_faults == 1, "both refused");
	wait();
	ok(log_is("detach:rid free:100 ") && rid_is(BIND_BLOCKED, 0) && stopped == -1,
	   "blocked before the wait completes");
}

static void test_free_fails(void)
{
	start_nested();
	set_fs(SID, 0, 5, fs2);
	host.fail_free = -EBUSY;
	host.times = 2;
	pc(5, 0);
	ok(log_is("alloc=101 attach:rid=101 !free:100 ") && rid_is(BIND_NESTED, 101),
	   "free refused: the binding is made");
	eq(n_faults, 0, "no fault: nothing of it can be seen");
	wait();
	ok(log_is("!free:100 "), "tried again");
	wait();
	ok(log_is("free:100 "), "until it is done");
	wait();
	ok(log_is(""), "once");
	set_fs(SID, 0, 5, fs1);
	host.times = 1;
	pc(5, 0);
	host.log[0] = '\0';
	vtd_bind__reset(&vtd);
	ok(log_is("attach:rid=90 free:102 free:101 "), "reset tries again too");
	eq(live_hwpts() + host.wrong, 0, "nothing is left");
}

static void test_put_back_fails(void)
{
	start_nested();
	host.fail_attach = -EIO;
	host.times = 1;
	te(false);
	ok(log_is("!attach:rid=90 detach:rid free:100 ") && stopped == VM_ISOLATION,
	   "off: parent refused: blocked, and the VM stops");

	start_nested();
	host.fail_attach = -EIO;
	host.times = 1;
	vtd_bind__reset(&vtd);
	eq(stopped, VM_ISOLATION, "the same on reset");

	start_nested();
	set_fs(SID, 7, 5, fs1);
	pc(5, 7);
	host.log[0] = '\0';
	host.fail_detach = -EIO;
	host.times = 1;
	te(false);
	ok(log_is("attach:rid=90 free:100 !detach:7 ") && stopped == VM_ISOLATION,
	   "off: a PASID that stays attached: the VM stops");
	eq(host.wrong, 0, "its page table was not destroyed");
}

/* --- Invalidations --- */

static void test_invalidate(void)
{
	start_nested();
	piotlb(5, 0, 0x1000, 0, true);
	piotlb(5, 0, 0x8000, 3, false);
	piotlb(5, 0, 0xffff800000003000, 1, false);
	ok(log_is(""), "invalidations wait");
	wait();
	ok(log_is("inv:100[1000+1L][8000+8][ffff800000002000+2] "), "and go as one call, masked");
	wait();
	ok(log_is(""), "once");
	piotlb(6, 0, 0x1000, 0, false);
	piotlb(5, 1, 0x1000, 0, false);
	wait();
	ok(log_is(""), "another domain or PASID: not its own");
	piotlb(5, 0, 0x1000, 0, false);
	piotlb(5, 0, 0x2000, 0, false);
	piotlb(5, 0, 0x3000, 0, true);
	wait();
	ok(log_is("inv:100[1000+2][3000+1L] "), "neighbours of a kind are joined");
	piotlb(5, 0, 0x1000, 0, false);
	vtd_inv__piotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5 });
	piotlb(5, 0, 0x1000, 0, false);
	wait();
	ok(log_is("inv:100[all] "), "everything swallows the rest");
	piotlb(5, 0, 0x1000, 52, false);
	wait();
	ok(log_is("inv:100[all] "), "a mask of 52 bits is everything");
	piotlb(5, 0, ~0xfffULL, 63, true);
	wait();
	ok(log_is("inv:100[all] "), "so is one of 63");
	vtd_inv__iotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .addr = 0x1000 });
	wait();
	ok(log_is("inv:100[all] "), "IOTLB page: the domain's first stage");
	vtd_inv__iotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 6 });
	wait();
	ok(log_is(""), "IOTLB, another domain");
	vtd_inv__iotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
	wait();
	ok(log_is("inv:100[all] "), "IOTLB global");
	for (u64 i = 0; i < 64; i++)
		piotlb(5, 0, i << 13, 0, false);
	wait();
	ok(strstr(host.log, "[0+1]") && strstr(host.log, "[7e000+1]"), "64 ranges are one call");
	host.log[0] = '\0';
	for (u64 i = 0; i < 65; i++)
		piotlb(5, 0, i << 13, 0, false);
	wait();
	ok(log_is("inv:100[all] "), "65 are everything");

	piotlb(5, 0, 0x1000, 0, false);
	pc(5, 3);
	ok(log_is("inv:100[1000+1] "), "a PASID-cache invalidation does not overtake");
	piotlb(5, 0, 0x1000, 0, false);
	cc(SID2);
	ok(log_is("inv:100[1000+1] "), "nor a context-cache invalidation");
	piotlb(5, 0, 0x1000, 0, false);
	te(false);
	wait();
	ok(log_is("attach:rid=90 free:100 "), "what is gone is not invalidated");
}

static void test_invalidate_fails(void)
{
	start_nested();
	host.inv_limit = 1;
	piotlb(5, 0, 0x1000, 0, false);
	piotlb(5, 0, 0x8000, 0, false);
	piotlb(5, 0, 0xa000, 0, false);
	wait();
	ok(log_is("inv:100[1000+1][8000+1][a000+1] inv:100[all] "), "a part done: widened");
	ok(rid_is(BIND_NESTED, 100) && !n_faults, "and that is all");
	host.inv_all_fail = true;
	host.inv_limit = 0;
	piotlb(5, 0, 0x1000, 0, false);
	wait();
	ok(log_is("inv:100[1000+1] inv:100[all] detach:rid free:100 "), "not even that: blocked");
	ok(rid_is(BIND_BLOCKED, 0) && n_faults == 1 && last_fault.reason == 0x5b, "and a fault");
	pc(5, 0);
	ok(log_is("alloc=101 attach:rid=101 "), "the next invalidation of the entry tries again");
	piotlb(5, 0, 0x1000, 0, false);
	host.fail_detach = -EIO;
	host.times = 2;
	wait();
	ok(log_is("inv:101[1000+1] inv:101[all] !detach:rid !detach:rid ") &&
	   stopped == VM_ISOLATION, "if it cannot even be blocked, the VM stops");
}

/* --- PASIDs --- */

static void test_pasids(void)
{
	start_nested();
	set_fs(SID, 7, 5, fs2);
	pc(5, 7);
	ok(log_is("alloc=101 attach:7=101 "), "a PASID is attached");
	pc(5, 7);
	pc_global();
	ok(log_is(""), "equal: nothing");
	piotlb(5, 7, 0x1000, 0, false);
	wait();
	ok(log_is("inv:101[1000+1] "), "its invalidations are its own");
	vtd_inv__iotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 });
	wait();
	ok(log_is("inv:100[all] inv:101[all] "), "the domain's are for both");
	pasid_set(&vtd, SID, 7, PE(4), 5, 0);
	pc(5, 7);
	ok(log_is("attach:7=90 free:101 "), "pass-through: parent");
	put(pasid_gpa(&vtd, SID, 7), 0);
	pc(5, 7);
	ok(log_is("detach:7 ") && !vtd.binds->pasids, "gone: detached and forgotten");
	eq(n_faults, 0, "no faults");

	pasid_set(&vtd, SID, 7, PE(2) | PE_AW48, 5, 0);
	pc(5, 7);
	ok(log_is("") && n_faults == 1 && last_fault.reason == 0x5b && last_fault.pasid == 7,
	   "second-stage: a fault with the PASID");
	pc(5, 7);
	pc_global();
	eq(n_faults, 1, "told once");
	set_fs(SID, 7, 5, fs1);
	pc(5, 7);
	ok(log_is("alloc=102 attach:7=102 "), "then served");

	/* Found by the scan */
	set_fs(SID, 70, 5, fs1);
	set_fs(SID, 8191, 6, fs1);
	pc_domain(5);
	ok(log_is("alloc=103 attach:70=103 alloc=104 attach:8191=104 "), "a domain finds new ones");
	set_fs(SID, 71, 5, fs1);
	pc_global();
	ok(log_is("alloc=105 attach:71=105 "), "so does global");
	put(dir_gpa(&vtd, SID, 70), 0);
	pc(5, 70);
	ok(log_is("detach:70 free:103 "), "the directory entry went: matched by the cached entry");
	pc_global();
	ok(log_is("detach:71 free:105 "), "the other one with global");
	set_fs(SID, 70, 5, fs1);

	/* PASIDE goes: all PASIDs; RID stays. */
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) & ~BIT(3));
	cc(SID);
	ok(strstr(host.log, "detach:7 ") && strstr(host.log, "detach:8191 ") &&
	   !strstr(host.log, "rid") && !vtd.binds->pasids, "PASIDE=0 detaches all PASIDs");
	host.log[0] = '\0';
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) | BIT(3));
	cc(SID);
	ok(strstr(host.log, "attach:7=") && strstr(host.log, "attach:70=") &&
	   strstr(host.log, "attach:8191="), "and PASIDE=1 attaches them");
	host.log[0] = '\0';
	te(false);
	ok(strstr(host.log, "attach:rid=90") && strstr(host.log, "detach:7 ") &&
	   strstr(host.log, "detach:70 ") && strstr(host.log, "detach:8191 "), "off detaches them");
	eq(live_hwpts() + host.wrong, 0, "nothing is left");

	/* RID_PASID: its entry is the RID's. */
	start_nested();
	vtd.ecap |= ECAP_RPS;
	set_fs(SID, 3, 8, fs2);
	put(context_gpa(&vtd, SID) + 8, 3);
	cc(SID);
	ok(log_is("alloc=101 attach:rid=101 free:100 alloc=102 attach:0=102 "),
	   "a new RID_PASID: the RID moves, and PASID 0 is one like others");
	pc(8, 3);
	ok(log_is(""), "RID_PASID has no binding of its own");
	put(pasid_gpa(&vtd, SID, 3), 0);
	pc(8, 3);
	ok(log_is("detach:rid free:101 "), "its entry is the RID's");
}

static void test_pasid_limits(void)
{
	struct vtd_fault unused = { 0 };
	struct vtd_ctx ctx;

	start_nested();
	vtd.binds->host.info.max_pasid_log2 = 0;
	set_fs(SID, 7, 5, fs2);
	pc(5, 7);
	pc_global();
	ok(log_is("") && !n_faults, "a device without PASIDs has no bindings for them");
	vtd.binds->host.info.max_pasid_log2 = 3;
	set_fs(SID, 8, 5, fs2);
	pc_global();
	ok(log_is("alloc=101 attach:7=101 "), "nor beyond its width");

	/* A hostile guest: every PASID present, all directory entries one table. */
	start_nested();
	vtd.binds->host.info.max_pasid_log2 = 20;
	for (u32 p = 0; p < 64; p++)
		pasid_set(&vtd, SID, p, PE(1) | BIT(5), 5, 0); /* reserved bit: refused by us */
	for (u32 d = 1; d < 128; d++)
		put(dir_gpa(&vtd, SID, d << 6), get(dir_gpa(&vtd, SID, 0)));
	pc_global();
	eq(vtd.binds->n_pasids, BIND_PASIDS, "the number of bindings is bounded");
	ok(vtd_entry__lookup(&vtd, SID, 8191, &ctx, &unused), "and none of these is served");
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) & ~BIT(3));
	pc_global();
	ok(vtd.binds->n_pasids == 0 && !vtd.binds->pasids, "and all are forgotten again");

	start_nested();
	set_fs(SID, 7, 5, fs2);
	host.fail_attach = -EOPNOTSUPP;
	host.times = 1;
	pc(5, 7);
	ok(log_is("alloc=101 !attach:7=101 free:101 ") && n_faults == 1 && last_fault.pasid == 7,
	   "a host that refuses PASIDs: a fault");
	ok(rid_is(BIND_NESTED, 100), "the RID does not suffer");
	put(pasid_gpa(&vtd, SID, 7), 0);
	pc_global();
	ok(!vtd.binds->pasids, "a refused entry that goes is forgotten");
}

static void test_print(void)
{
	char *text = NULL;
	size_t size;
	FILE *out;

	start_nested();
	set_fs(SID, 0, 5, fs2);
	pc(5, 0);
	pasid_set(&vtd, SID, 7, PE(4), 6, 0);
	pc(6, 7);
	piotlb(5, 0, 0x1000, 0, false);
	piotlb(5, 0, 0x9000, 0, false);
	wait();
	out = open_memstream(&text, &size);
	vtd_bind__print(&vtd, out);
	fclose(out);
	ok(!strncmp(text, "binding 00:03.0 host=0000:00:03.0 pasid=rid state=nested hwpt=101 did=5 "
		    "pgtt=first-stage fsptr=0x", 97) &&
	   strstr(text, " attaches=1 replaces=1 invalidations=2\n"), "the RID's line");
	ok(strstr(text, "binding 00:03.0 host=0000:00:03.0 pasid=7 state=parent hwpt=90 did=6 "
		  "pgtt=pass-through fsptr=0x0 attaches=1 replaces=0 invalidations=0\n"),
	   "a PASID's line");
	free(text);
	ok(vtd.stats.attach == 2 && vtd.stats.replace == 1 && vtd.stats.detach == 1 &&
	   vtd.stats.to_parent == 1 && vtd.stats.host_inv_calls == 1 &&
	   vtd.stats.host_inv_ranges == 2, "counts");
}

/* --- At random --- */

static u64 seed = 0x853c49e6748fea9bULL;

static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)((seed * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

/* What the design says @pasid of @sid should be on: ~0: its own HWPT. */
static u32 should_be(u16 sid, u32 pasid, u64 *fsptr)
{
	u64 ctx, dir, pte;

	if (!vtd__tes(&vtd))
		return pasid == HOST_RID ? PARENT : 0;
	if (!(get(root_gpa(&vtd, sid)) & 1))
		return 0;
	ctx = get(context_gpa(&vtd, sid));
	if (!(ctx & 1) || (pasid != HOST_RID && (!(ctx & BIT(3)) || pasid == 0)))
		return 0;
	if (pasid == HOST_RID)
		pasid = 0;
	dir = get((ctx & GENMASK(51, 12)) + (pasid >> 6) * 8);
	if (!(dir & 1))
		return 0;
	pte = (dir & GENMASK(51, 12)) + (pasid & 63) * 64;
	if (!(get(pte) & 1) || (get(pte) & BIT(5)))
		return 0;
	if (FIELD(get(pte), 8, 6) == 4)
		return PARENT;
	*fsptr = get(pte + 16) & GENMASK(51, 12);
	return FIELD(get(pte), 8, 6) == 1 && *fsptr < GUEST_RAM ? ~0u : 0;
}

static bool consistent(void)
{
	static const u32 pasids[] = { HOST_RID, 1, 2, 65, 66 };
	unsigned int nested = 0;

	for (struct vtd_bind *d = vtd.binds; d; d = d->next)
		for (unsigned int i = 0; i < ARRAY_SIZE(pasids); i++) {
			u64 fsptr = 0;
			const u32 want = should_be(d->sid, pasids[i], &fsptr);
			const u32 is = attached(d->host.dev, pasids[i]);

			if (want != ~0u && is != want)
				return false;
			if (want == ~0u && (is <= PARENT || !host.live[is] ||
					    host.s1[is].pgtbl != fsptr))
				return false;
			nested += want == ~0u;
		}
	return live_hwpts() == nested;
}

static void random_edit(u16 sid, u32 pasid)
{
	const u16 did = 1 + rnd(3);
	u64 gpa;

	switch (rnd(8)) {
	case 0:
		put(pasid_gpa(&vtd, sid, pasid), 0);
		break;
	case 1:
		pasid_set(&vtd, sid, pasid, PE(4), did, 0);
		break;
	case 2:
		pasid_set(&vtd, sid, pasid, PE(1) | BIT(5), did, fs1);
		break;
	case 3:
		gpa = context_gpa(&vtd, sid);
		put(gpa, get(gpa) ^ (rnd(4) ? BIT(3) : 2));
		break;
	case 4:
		set_fs(sid, pasid, did, rnd(3) ? fs1 : GUEST_RAM + 4096);
		break;
	default:
		set_fs(sid, pasid, did, rnd(2) ? fs1 : fs2);
	}
}

static void random_invalidation(u16 sid, u32 pasid)
{
	const u16 did = 1 + rnd(3);

	switch (rnd(7)) {
	case 0:
		pc(did, pasid);
		break;
	case 1:
		pc_domain(did);
		break;
	case 2:
		cc(sid);
		break;
	case 3:
		piotlb(did, pasid, (u64)rnd(100) << 12, rnd(64), rnd(2));
		break;
	case 4:
		vtd_inv__iotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = did });
		break;
	case 5:
		wait();
		break;
	case 6:
		if (rnd(20) == 0)
			te(!vtd__tes(&vtd));
		break;
	}
}

static void test_random(void)
{
	static const u32 pasids[] = { 0, 1, 2, 65, 66 };
	unsigned int bad = 0, stops = 0, checks = 0;

	start(VTD_TTM_SCALABLE, 2);
	te(true);
	for (unsigned int i = 0; i < 200000; i++) {
		const u16 sid = rnd(2) ? SID : SID2;
		const u32 pasid = pasids[rnd(ARRAY_SIZE(pasids))];

		if (host.next > MAX_HWPT - 20)
			host.next = 99; /* ids come back once free */
		while (host.next < MAX_HWPT - 1 && host.live[host.next + 1])
			host.next++;
		host.times = rnd(8) ? 0 : 1 + rnd(2);
		host.fail_alloc = rnd(3) ? 0 : -ENOMEM;
		host.fail_attach = rnd(3) ? 0 : -EINVAL;
		host.fail_detach = rnd(6) ? 0 : -EIO;
		host.fail_free = rnd(3) ? 0 : -EBUSY;
		host.inv_limit = rnd(8) ? ~0u : 0;
		host.inv_all_fail = rnd(8) == 0;
		if (rnd(2))
			random_edit(sid, pasid);
		else
			random_invalidation(sid, pasid);
		host.log[0] = '\0';
		if (rnd(20))
			continue;
		/* A host that says yes again, and the invalidation that covers all. */
		host.times = 0;
		host.inv_limit = ~0u;
		host.inv_all_fail = false;
		if (stopped >= 0) {
			/* The VM would have ended; as it has not, put everything back. */
			stops++;
			stopped = -1;
			vtd_bind__reset(&vtd);
		}
		cc(SID);
		cc(SID2);
		wait();
		checks++;
		if (!consistent())
			bad++;
	}
	eq(bad, 0, "%u times, host and guest agree after any refusals", checks);
	eq(host.wrong, 0, "nothing was destroyed while attached, or used after");
	ok(stops && n_faults > 1000, "the VM was stopped %u times, the guest told %u faults", stops,
	   n_faults);
	host.times = 0;
	vtd_bind__reset(&vtd);
	eq(live_hwpts(), 0, "reset leaves nothing");
	ok(attached(&dev_a, HOST_RID) == PARENT && attached(&dev_b, HOST_RID) == PARENT,
	   "and both on the parent");
}

int main(void)
{
	test_add();
	test_table();
	test_modes();
	test_matching();
	test_alloc_fails();
	test_attach_fails();
	test_detach_fails();
	test_free_fails();
	test_put_back_fails();
	test_invalidate();
	test_invalidate_fails();
	test_pasids();
	test_pasid_limits();
	test_print();
	test_random();
	vtd_bind__free(&vtd);
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
