/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_HOST_H
#define VTD_HOST_H

/*
 * A host for tests of bindings, which writes down every call, can refuse any of them, and knows what
 * is attached where; and the guest that makes it work.
 */

#include "vtd_guest.h"

#include "iommu/bind.c"
#include "iommu/bind_dev.c"
#include "iommu/bind_host.c"
#include "iommu/bind_inv.c"
#include "iommu/cache.c"
#include "iommu/change.c"
#include "iommu/devtlb.c"
#include "iommu/inv.c"

#define SID    0x18
#define SID2   0x20
#define PARENT 90

static struct vtd vtd;

/* --- The host --- */

#define MAX_HWPT 4096
#define MAX_AT	 64

static struct {
	char log[8192];
	int fail_alloc, fail_attach, fail_detach, fail_free; /* errno of the next @times calls */
	unsigned int times;
	u32 inv_limit; /* ranges done before inv_error; ~0: all */
	int inv_error;
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
		return host.inv_error;
	}
	return 0;
}

static const struct host_iommu_ops fake_ops = {
	.alloc = fake_alloc,
	.free = fake_free,
	.attach = fake_attach,
	.detach = fake_detach,
	.invalidate = fake_invalidate,
};

static struct host_device fake_device(void *dev)
{
	return (struct host_device){
		.ops = &fake_ops,
		.dev = dev,
		.name = "0000:00:03.0",
		.parent = PARENT,
		.info = { .vtd = true,
			  .max_pasid_log2 = 16,
			  .cap = BIT(56) | BIT(60) | 47ULL << 16,
			  .ecap = BIT(6) | BIT(26) | BIT(31) | BIT(34) | BIT(40) | BIT(43) |
				  BIT(46) | BIT(47) | BIT(48) | 19ULL << 35 },
	};
}

static __attribute__((unused)) unsigned int live_hwpts(void)
{
	unsigned int n = 0;

	for (u32 i = 0; i < MAX_HWPT; i++)
		n += host.live[i];
	return n;
}

/* What was called since the last time. */
static __attribute__((unused)) bool log_is(const char *want)
{
	const bool same = !strcmp(host.log, want);

	if (!same)
		printf("# calls: %s\n# want:  %s\n", host.log, want);
	host.log[0] = '\0';
	return same;
}

/* --- The guest --- */

static char dev_a, dev_b; /* only their addresses count */
static u64 fs1, fs2;

/* A guest with one device, or two, before it switches translation on. */
static void start(enum vtd_ttm ttm, int devices)
{
	struct vtd_cache *cache = vtd.cache ? vtd.cache : vtd_cache__new();
	struct host_device a = fake_device(&dev_a), b = fake_device(&dev_b);

	vtd_bind__free(&vtd);
	unit_init(&vtd, vtd_config_nested, ttm);
	vtd.cache = cache;
	vtd.gsts = 0;
	memset(&host, 0, sizeof(host));
	host.next = 99;
	host.inv_limit = ~0u;
	host.inv_error = -EIO;
	vtd__add_device(&vtd, SID, &a);
	at_find(&dev_a, HOST_RID, true)->hwpt = PARENT;
	if (devices > 1) {
		vtd__add_device(&vtd, SID2, &b);
		at_find(&dev_b, HOST_RID, true)->hwpt = PARENT;
	}
	fs1 = page_new();
	fs2 = page_new();
}

static __attribute__((unused)) void te(bool on)
{
	vtd.gsts = on ? BIT(31) : 0;
	vtd_inv__all(&vtd);
}

static __attribute__((unused)) void pc(u16 did, u32 pasid)
{
	vtd_inv__pasid_cache(
	    &vtd, &(struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = did, .pasid = pasid });
}

static __attribute__((unused)) void pc_domain(u16 did)
{
	vtd_inv__pasid_cache(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = did });
}

static __attribute__((unused)) void pc_global(void)
{
	vtd_inv__pasid_cache(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
}

static __attribute__((unused)) void cc(u16 sid)
{
	vtd_inv__context(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = sid });
}

static __attribute__((unused)) void piotlb(u16 did, u32 pasid, u64 addr, u8 am, bool ih)
{
	vtd_inv__piotlb(&vtd, &(struct vtd_inv){ .gran = VTD_GRAN_PAGE,
						 .did = did,
						 .pasid = pasid,
						 .addr = addr,
						 .am = am,
						 .ih = ih });
}

static __attribute__((unused)) void wait(void)
{
	vtd_inv__sync(&vtd);
}

static __attribute__((unused)) void set_fs(u16 sid, u32 pasid, u16 did, u64 fsptr)
{
	pasid_set(&vtd, sid, pasid, PE(1), did | PE_PWSNP, fsptr);
}

static __attribute__((unused)) struct binding *rid(void)
{
	return &vtd.binds->rid;
}

static __attribute__((unused)) bool rid_is(enum bind_state state, u32 hwpt)
{
	const u32 now = state == BIND_NESTED ? rid()->hwpt->id : 0;

	return rid()->state == state && now == hwpt &&
	       attached(&dev_a, HOST_RID) == (state == BIND_PARENT ? PARENT : now);
}

/* Translation on, the RID on first stage fs1 in domain 5, HWPT 100. */
static __attribute__((unused)) void start_nested(void)
{
	start(VTD_TTM_SCALABLE, 1);
	te(true);
	set_fs(SID, 0, 5, fs1);
	pc(5, 0);
	wait();
	host.log[0] = '\0';
	n_faults = 0;
}

static void host_done(void)
{
	vtd_bind__free(&vtd);
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
}

#endif
