/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bindings at random: a guest that edits and invalidates, a host that refuses now and then.  When the
 * host says yes again, each device must be on what the guest's tables say, and nothing else be left.
 */

#include "rnd.h"
#include "vtd_host.h"

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
			if (want == ~0u &&
			    (is <= PARENT || !host.live[is] || host.s1[is].pgtbl != fsptr))
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
	test_random();
	host_done();
	return tap_done();
}
