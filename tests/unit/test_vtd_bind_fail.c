/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bindings when the host refuses: each call that can fail, what the device is left on, what the guest
 * is told; and first-stage invalidations, which are never done in part.
 */

#include "vtd_host.h"

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
	ok(log_is("alloc=102 !attach:rid=102 free:102 ") && n_faults == 1,
	   "still refused: no new fault");
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
	ok(log_is("!detach:rid !detach:rid ") && stopped == VM_ISOLATION && vtd.isolation_lost,
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
	       stopped == -1,
	   "a new entry replaces what was stuck");

	/* Refused while blocking for a refused attach */
	start_nested();
	set_fs(SID, 0, 5, fs2);
	host.fail_attach = -EINVAL;
	host.fail_detach = -EIO;
	host.times = 2;
	pc(5, 0);
	ok(log_is("alloc=101 !attach:rid=101 free:101 !detach:rid ") && rid_is(BIND_NESTED, 100) &&
	       !rid()->valid && n_faults == 1,
	   "both refused");
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
	for (u64 page = 2; page < 9; page++)
		piotlb(5, 0, page << 12, 0, false);
	wait();
	ok(log_is("inv:100[2000+2][4000+4][8000+1] "),
	   "neighbours are joined to powers of two, aligned");
	piotlb(5, 0, 0x2000, 0, false);
	piotlb(5, 0, 0x3000, 0, true);
	wait();
	ok(log_is("inv:100[2000+1][3000+1L] "), "if they are of a kind");
	piotlb(5, 0, ~0xfffULL, 0, false);
	piotlb(5, 0, 0, 0, false);
	wait();
	ok(log_is("inv:100[fffffffffffff000+1][0+1] "), "the last page and the first are none");
	piotlb(5, 0, 0x1234800000003000, 0, false);
	wait();
	ok(log_is("inv:100[ffff800000003000+1][34800000003000+1] "),
	   "an address is that of four levels, and that of five");
	piotlb(5, 0, 0, 51, false);
	piotlb(5, 0, BIT(63), 51, false);
	wait();
	ok(log_is("inv:100[all] "), "two halves are everything");
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
	host.inv_error = 0;
	piotlb(5, 0, 0x1000, 0, false);
	piotlb(5, 0, 0x8000, 0, false);
	wait();
	ok(log_is("inv:100[1000+1][8000+1] inv:100[all] "),
	   "success with a part done is no success");
	host.inv_error = -EIO;
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
	       stopped == VM_ISOLATION,
	   "if it cannot even be blocked, the VM stops");
}

int main(void)
{
	test_alloc_fails();
	test_attach_fails();
	test_detach_fails();
	test_free_fails();
	test_put_back_fails();
	test_invalidate();
	test_invalidate_fails();
	host_done();
	return tap_done();
}
