/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bindings: a guest that edits its PASID tables and queues descriptors of any content, a host
 * that refuses now and then.  Nothing is destroyed while in use or used after, and a reset leaves nothing.
 */

#include "iommu/queue.c"

#include "tests/unit/vtd_host.h"

#include "tests/fuzz/fuzz.h"

/* --- The rest of the unit, as far as the queue needs it --- */

void vtd_fault__raise(struct vtd *unit, u32 bits)
{
	unit->fsts |= bits;
}

void irq__refresh(struct irqchip *irq)
{
}

void vtd_turn__ask(struct vtd *unit)
{
}

#define QUEUE  0x200000ULL
#define STATUS 0x210000ULL

static const u32 pasids[] = { 0, 1, 2, 65, 66 };

static void queue_one(u64 lo, u64 hi)
{
	u64 *q = mem__ptr(guest_mem, QUEUE + vtd.iqt, 32);

	q[0] = lo;
	q[1] = hi;
	q[2] = q[3] = 0;
	vtd.iqt = (vtd.iqt + 32) & 4095;
	vtd_queue__run(&vtd);
	/* A refused descriptor is the guest's affair: it goes on behind it. */
	vtd.fsts = 0;
	vtd.iqh = vtd.iqt;
}

/* Any descriptor, or one of those that bindings follow. */
static void descriptor(struct input *in)
{
	const u8 what = in__u8(in);
	const u64 did = 1 + (what >> 6), pasid = pasids[(what >> 3) % ARRAY_SIZE(pasids)];

	switch (what & 7) {
	case 0:
		queue_one(in__u64(in), in__u64(in));
		break;
	case 1:
		queue_one(DESC_CONTEXT | (1 + (u64)in__u8(in) % 3) << 4 |
				  (u64)(what & 8 ? SID : SID2) << 32 | (u64)(what >> 6) << 48,
			  0);
		break;
	case 2:
		queue_one(DESC_PASID | (in__u8(in) & 3ULL) << 4 | did << 16 | pasid << 32, 0);
		break;
	case 3:
		queue_one(DESC_PIOTLB | (what & 8 ? 2ULL : 3ULL) << 4 | did << 16 | pasid << 32,
			  (u64)in__u16(in) << 12 | (in__u8(in) & 0x7f));
		break;
	case 4:
		queue_one(DESC_IOTLB | (1 + (u64)in__u8(in) % 3) << 4 | did << 16, 0);
		break;
	default:
		queue_one(DESC_WAIT | BIT(5) | 1ULL << 32, STATUS);
	}
}

/* An entry's first words are whatever the input says; what they point to is memory or nothing. */
static void edit(struct input *in)
{
	const u8 what = in__u8(in), how = in__u8(in);
	const u16 sid = what & 1 ? SID : SID2, did = 1 + (how >> 6);
	const u32 pasid = pasids[(what >> 1) % ARRAY_SIZE(pasids)];
	u64 gpa;

	switch (how & 7) {
	case 0:
		put(pasid_gpa(&vtd, sid, pasid), 0);
		break;
	case 1:
		pasid_set(&vtd, sid, pasid, PE(4), did, 0);
		break;
	case 2: /* present, fault processing, PASIDs on: what decides, without other tables */
		gpa = context_gpa(&vtd, sid);
		sm_context_set(&vtd, sid);
		put(gpa, get(gpa) ^ (how & 8 ? BIT(3) : 2));
		break;
	case 3:
		gpa = pasid_gpa(&vtd, sid, pasid) + (how >> 3) % 8 * 8;
		put(gpa, get(gpa) ^ BIT(in__u8(in) & 63));
		break;
	case 4:
		pasid_set(&vtd, sid, pasid, in__u64(in), in__u64(in), in__u64(in));
		break;
	case 5: /* the directory entry goes, or comes back: what it points to stays */
		gpa = dir_gpa(&vtd, sid, pasid);
		if (get(gpa) & ~0xfffULL)
			put(gpa, get(gpa) ^ 2);
		break;
	default:
		set_fs(sid, pasid, did, how & 8 ? fs1 : fs2);
	}
}

/* What the host does from now on. */
static void refusals(struct input *in)
{
	const u8 what = in__u8(in), more = in__u8(in);

	host.times = what & 7;
	host.fail_alloc = what & 8 ? -ENOMEM : 0;
	host.fail_attach = what & 16 ? -EINVAL : 0;
	host.fail_detach = what & 32 ? -EIO : 0;
	host.fail_free = what & 64 ? -EBUSY : 0;
	host.inv_limit = more & 1 ? (more >> 2) & 3 : ~0u;
	host.inv_all_fail = more & 2;
}

static void behave(void)
{
	host.times = 0;
	host.inv_limit = ~0u;
	host.inv_all_fail = false;
}

/*
 * Everything is invalidated and waited for, whatever the host says: unless the VM ends, what has no
 * entry reaches nothing.
 */
static void cover_all(void)
{
	static const u16 sids[] = { SID, SID2 };
	char *const devs[] = { &dev_a, &dev_b };

	cc(SID);
	cc(SID2);
	wait();
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(pasids) && vtd__tes(&vtd) && stopped < 0; i++) {
		const u32 pasid = pasids[i / 2];

		must(get(pasid_gpa(&vtd, sids[i % 2], pasid)) & 1 ||
			     !attached(devs[i % 2], pasid ? pasid : HOST_RID),
		     "what has no entry is blocked when the guest is told so");
	}
}

static void step(struct input *in)
{
	const u8 what = in__u8(in);

	switch (what & 7) {
	case 0:
	case 1:
		edit(in);
		break;
	case 2:
		refusals(in);
		break;
	case 3:
		if (what < 64)
			te(!vtd__tes(&vtd));
		else
			cover_all();
		break;
	default:
		descriptor(in);
	}
	host.log[0] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	start(VTD_TTM_SCALABLE, 2);
	vtd.iqa = QUEUE | BIT(11);
	te(true);
	vtd.gsts |= BIT(26);
	while (in.left && host.next < MAX_HWPT - 64 && stopped < 0) {
		step(&in);
		vtd.gsts |= BIT(26);
		must(!host.wrong, "nothing is destroyed while attached, or used after");
	}
	must(vtd.isolation_lost == (stopped >= 0), "lost isolation ends the VM, nothing else does");
	behave();
	vtd_bind__reset(&vtd);
	must(!host.wrong, "nor by a reset");
	must(!live_hwpts(), "a reset leaves nothing");
	must(attached(&dev_a, HOST_RID) == PARENT && attached(&dev_b, HOST_RID) == PARENT,
	     "and both devices on the parent");
	for (unsigned int i = 0; i < ARRAY_SIZE(host.at); i++)
		must(!host.at[i].hwpt || host.at[i].pasid == HOST_RID, "no PASID is attached");
	return 0;
}
