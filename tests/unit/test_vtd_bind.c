/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bindings of guest PASID entries to host page tables: the table of states, what an invalidation
 * covers, the order of calls, PASIDs, and what people are shown.
 */

#include "vtd_host.h"

/* --- Devices --- */

static void test_add(void)
{
	struct host_device h = fake_device(&dev_a);
	static const struct {
		int bit;
		const char *word;
	} needed[] = {
		{ 43, "scalable" }, { 47, "first-stage" }, { 46, "second-stage" }, { 26, "nested" }
	};

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
	       (vtd.cap & CAP_FS1GP) && (vtd.cap & BIT(7)),
	   "what the host has is offered, and CM");
	h = fake_device(&dev_a);
	h.info.ecap = (h.info.ecap & ~(ECAP_SRS | ECAP_SMPWCS | GENMASK(39, 35))) | 9ULL << 35;
	h.info.cap &= ~(CAP_FS5LP | CAP_FS1GP);
	eq(vtd__add_device(&vtd, SID2, &h), 0, "a lesser host is taken");
	ok(!(vtd.ecap & (ECAP_SRS | ECAP_EAFS | ECAP_SMPWCS)) &&
	       !(vtd.cap & (CAP_FS5LP | CAP_FS1GP)),
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
	       !host.s1[100].eafe && !host.s1[100].wpe,
	   "with the entry's table");
	pc(5, 0);
	pc_domain(5);
	pc_global();
	cc(SID);
	wait();
	ok(log_is(""), "an equal entry does nothing");

	set_fs(SID, 0, 6, fs2 | 1 | 1 << 2 | BIT(4) | BIT(7));
	pc(5, 0);
	ok(log_is("alloc=101 attach:rid=101 free:100 "),
	   "a changed entry: new, attach, free the old");
	ok(host.s1[101].pgtbl == fs2 && host.s1[101].width == 57 && host.s1[101].sre &&
	       host.s1[101].eafe && host.s1[101].wpe,
	   "with all its bits");

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
	       last_fault.pasid == DMA_NO_PASID,
	   "and a fault");
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
	ok(log_is("alloc=104 attach:rid=104 ") && rid_is(BIND_NESTED, 104),
	   "on again: nested at once");
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
	vtd_inv__context(&vtd,
			 &(struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = SID | 7, .fm = 3 });
	ok(log_is("attach:rid=90 "), "the function mask covers it");

	start_nested();
	vtd.root = (vtd.root & ~GENMASK(11, 10)) | 3 << 10;
	vtd.ecap |= ECAP_ADMS;
	te(true);
	ok(log_is("detach:rid free:100 ") && rid_is(BIND_BLOCKED, 0) && !n_faults,
	   "abort-dma: blocked, no fault");
	vtd.root = (vtd.root & ~GENMASK(11, 10)) | 2 << 10;
	te(true);
	ok(rid_is(BIND_BLOCKED, 0) && n_faults == 1 && last_fault.reason == 0x30,
	   "TTM 10: a fault");
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
	ok(log_is("alloc=102 attach:rid=102 free:101 "),
	   "the new domain of a changed entry matches");
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
	       !strstr(host.log, "rid") && !vtd.binds->pasids,
	   "PASIDE=0 detaches all PASIDs");
	host.log[0] = '\0';
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) | BIT(3));
	cc(SID);
	ok(strstr(host.log, "attach:7=") && strstr(host.log, "attach:70=") &&
	       strstr(host.log, "attach:8191="),
	   "and PASIDE=1 attaches them");
	host.log[0] = '\0';
	te(false);
	ok(strstr(host.log, "attach:rid=90") && strstr(host.log, "detach:7 ") &&
	       strstr(host.log, "detach:70 ") && strstr(host.log, "detach:8191 "),
	   "off detaches them");
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
	set_fs(SID, 4, 8, fs2);
	put(context_gpa(&vtd, SID) + 8, 4);
	vtd.cfg.pasid_bits = 0;
	cc(SID);
	ok(log_is("alloc=103 attach:rid=103 free:101 "),
	   "a RID_PASID with an equal entry moves it too");
	put(pasid_gpa(&vtd, SID, 4), 0);
	pc(8, 3);
	ok(log_is(""), "it is not PASID 3 any more");
	pc(8, 4);
	ok(log_is("detach:rid free:103 "), "its entry is the RID's");
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
	ok(!strncmp(text,
		    "binding 00:03.0 host=0000:00:03.0 pasid=rid state=nested hwpt=101 did=5 "
		    "pgtt=first-stage fsptr=0x",
		    97) &&
	       strstr(text, " attaches=1 replaces=1 invalidations=2\n"),
	   "the RID's line");
	ok(strstr(text, "binding 00:03.0 host=0000:00:03.0 pasid=7 state=parent hwpt=90 did=6 "
			"pgtt=pass-through fsptr=0x0 attaches=1 replaces=0 invalidations=0\n"),
	   "a PASID's line");
	free(text);
	ok(vtd.stats.attach == 2 && vtd.stats.replace == 1 && vtd.stats.detach == 1 &&
	       vtd.stats.to_parent == 1 && vtd.stats.host_inv_calls == 1 &&
	       vtd.stats.host_inv_ranges == 2,
	   "counts");
}

static void test_trace(void)
{
	start_nested();
	trace_on[TRACE_vtd_table] = true;
	last_trace[0] = 0;
	pc(5, 0);
	ok(!*last_trace, "an entry that is as it was is not told");
	pasid_set(&vtd, SID, 7, PE(4), 6, 0);
	pc(6, 7);
	ok(strstr(last_trace, "00:03.0 pasid 7: none -> pass-through did=6 "), "a new one is");
	set_fs(SID, 0, 5, fs2);
	pc(5, 0);
	ok(strstr(last_trace, "00:03.0 pasid none: first-stage did=5 fsptr=0x") &&
	       strstr(last_trace, " -> first-stage did=5 fsptr=0x"),
	   "a change of the requests without PASID");
	te(false);
	ok(strstr(last_trace, "00:03.0 pasid 7: pass-through did=6 ") &&
	       strstr(last_trace, " -> none"),
	   "translation going off");
	trace_on[TRACE_vtd_table] = false;
}

int main(void)
{
	test_add();
	test_table();
	test_modes();
	test_matching();
	test_pasids();
	test_pasid_limits();
	test_print();
	test_trace();
	host_done();
	return tap_done();
}
