/* SPDX-License-Identifier: GPL-2.0-only */
/* Assigned devices coming under the vIOMMU: what their host must be able to do; and printing. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/bind.h"
#include "iommu/entry.h"

const char *bind__bdf(u16 sid)
{
	static char text[8];

	snprintf(text, sizeof(text), "%02x:%02x.%x", sid >> 8, (sid >> 3) & 31, sid & 7);
	return text;
}

const char *bind__pasid(u32 pasid)
{
	static char text[12];

	if (pasid == HOST_RID)
		return "rid";
	snprintf(text, sizeof(text), "%u", pasid);
	return text;
}

const char *vtd__host_lacks(const struct host_iommu_info *info)
{
	if (!info->vtd)
		return "an Intel VT-d IOMMU";
	/* NEST first: it is what was asked for, and implies both stages (11.4.3). */
	if (!(info->ecap & ECAP_NEST))
		return "nested translation (ECAP.NEST)";
	if (!(info->ecap & ECAP_SMTS))
		return "scalable mode (ECAP.SMTS)";
	if (!(info->ecap & ECAP_FSTS))
		return "first-stage translation (ECAP.FSTS)";
	if (!(info->ecap & ECAP_SSTS))
		return "second-stage translation (ECAP.SSTS)";
	return NULL;
}

/* Take back what this host cannot do; what is left holds for all devices. */
static void narrow(struct vtd_config *cfg, const struct host_iommu_info *info)
{
	cfg->fl5 = cfg->fl5 && (info->cap & CAP_FS5LP);
	cfg->fs1gp = cfg->fs1gp && (info->cap & CAP_FS1GP);
	cfg->srs = cfg->srs && (info->ecap & ECAP_SRS);
	cfg->smpwc = cfg->smpwc && (info->ecap & ECAP_SMPWCS);
	/* EAFS needs SMPWCS of us, whatever the host says (11.4.3). */
	cfg->eafs = cfg->eafs && cfg->smpwc && (info->ecap & ECAP_EAFS);
	if (!(info->ecap & ECAP_PASID))
		cfg->pasid_bits = 0;
	cfg->pasid_bits = MIN(cfg->pasid_bits, FIELD(info->ecap, 39, 35) + 1);
}

/* Guest RAM must be within what the host's second stage translates. */
static bool ram_fits(const struct vtd *vtd, unsigned int width)
{
	unsigned int n;
	const struct mem_region *r = mem__regions(vtd->mem, &n);

	return !n || !((r[n - 1].gpa + r[n - 1].size - 1) >> width);
}

int vtd__add_device(struct vtd *vtd, u16 bdf, const struct host_device *host)
{
	const char *lacks = vtd__host_lacks(&host->info);
	struct vtd_config cfg = vtd->cfg;
	struct vtd_bind *dev, **end;
	u64 cap, ecap;
	int err;

	if (!cfg.assigned) {
		pr_err("%s: an assigned device needs the host's page tables: use "
		       "--viommu=vtd-nested, or off",
		       host->name);
		return -EOPNOTSUPP;
	}
	if (lacks) {
		pr_err("%s: --viommu=vtd-nested: its host lacks %s: use --viommu=off, or another "
		       "host",
		       host->name, lacks);
		return -EOPNOTSUPP;
	}
	if (!ram_fits(vtd, FIELD(host->info.cap, 21, 16) + 1)) {
		pr_err("%s: the guest's memory ends above the %llu address bits of its IOMMU: try "
		       "a smaller --mem",
		       host->name, FIELD(host->info.cap, 21, 16) + 1);
		return -EOPNOTSUPP;
	}
	narrow(&cfg, &host->info);
	err = vtd_cap__build(&cfg, &cap, &ecap);
	if (err)
		return err;

	dev = calloc(1, sizeof(*dev));
	if (!dev) {
		pr_err("%s: no memory for its vIOMMU state", host->name);
		return -ENOMEM;
	}
	dev->sid = bdf;
	dev->host = *host;
	dev->rid.pasid = HOST_RID;
	dev->rid.state = BIND_PARENT; /* as handed over */
	for (end = &vtd->binds; *end; end = &(*end)->next)
		;
	*end = dev;
	vtd->cfg = cfg;
	vtd->cap = cap;
	vtd->ecap = ecap;
	return 0;
}

void vtd_bind__reset(struct vtd *vtd)
{
	bind__put_back(vtd);
}

/* Memory only: the devices, and with them everything attached, are gone by now. */
void vtd_bind__free(struct vtd *vtd)
{
	while (vtd->binds) {
		struct vtd_bind *dev = vtd->binds;

		vtd->binds = dev->next;
		free(dev->rid.hwpt);
		while (dev->pasids) {
			struct binding *b = dev->pasids;

			dev->pasids = b->next;
			free(b->hwpt);
			free(b);
		}
		while (dev->zombies) {
			struct bind_hwpt *hwpt = dev->zombies;

			dev->zombies = hwpt->next;
			free(hwpt);
		}
		free(dev);
	}
}

static const char *pgtt_name(const struct binding *b)
{
	if (!b->valid)
		return "none";
	return b->ctx.pgtt == VTD_PGTT_FS ? "first-stage" : "pass-through";
}

static void print(const struct vtd_bind *dev, const struct binding *b, FILE *out)
{
	static const char *const states[] = {
		[BIND_BLOCKED] = "blocked", [BIND_PARENT] = "parent", [BIND_NESTED] = "nested"
	};
	u32 hwpt = HOST_HWPT_NONE;

	if (b->state == BIND_PARENT)
		hwpt = dev->host.parent;
	else if (b->state == BIND_NESTED)
		hwpt = b->hwpt->id;
	fprintf(out,
		"binding %s host=%s pasid=%s state=%s hwpt=%u did=%u pgtt=%s fsptr=0x%llx "
		"attaches=%llu replaces=%llu invalidations=%llu\n",
		bind__bdf(dev->sid), dev->host.name, bind__pasid(b->pasid), states[b->state], hwpt,
		b->valid ? b->ctx.did : 0u, pgtt_name(b), b->valid ? b->ctx.fsptr : 0ULL,
		b->attaches, b->replaces, b->invalidations);
}

void vtd_bind__print(struct vtd *vtd, FILE *out)
{
	for (const struct vtd_bind *dev = vtd->binds; dev; dev = dev->next) {
		print(dev, &dev->rid, out);
		for (const struct binding *b = dev->pasids; b; b = b->next)
			print(dev, b, out);
	}
}
