/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The test device's DMA: within the write that starts it, unless a page request has to be answered
 * first; then within the answer.
 */

#include <errno.h>
#include <string.h>

#include "lkvm/vm.h"
#include "x86/edu.h"

/* A page's worth touches two pages, with a seam of the address map in one of them. */
#define PIECES 4

/* So often is Success believed. */
#define TRIES 8

/* Each page through the device-TLB. */
static int map_translated(struct edu *e, struct iovec *iov)
{
	struct edu_job *job = &e->job;
	u8 access = job->to_ram ? DMA_WRITE : DMA_READ;
	u64 addr = job->ram, len = job->count;
	int n = 0;

	if (addr + (len - 1) < addr)
		return -EFAULT;
	while (len) {
		struct edu_tlb_entry t;
		u64 off, part;
		int got;

		got = edu_tlb__translate(e, &job->tag, addr, access, &t);
		if (got) {
			job->no_access = addr;
			return got;
		}
		off = addr - t.addr;
		part = MIN(len, t.size - off);
		/* VT-d 4.2.1: a translated request has no PASID. */
		if (t.untranslated)
			got = dma__map_pasid(&e->pci.dma, job->tag.pasid, addr, part,
					     access | job->tag.attr, iov + n, PIECES - n);
		else
			got = dma__map_pasid(&e->pci.dma, DMA_NO_PASID, t.gpa + off, part,
					     access | DMA_TRANSLATED, iov + n, PIECES - n);
		if (got < 0)
			return -EFAULT;
		n += got;
		addr += part;
		len -= part;
	}
	return n;
}

static int map_job(struct edu *e, struct iovec *iov)
{
	struct edu_job *job = &e->job;
	u8 access = (job->to_ram ? DMA_WRITE : DMA_READ) | job->tag.attr;

	if ((job->mode & EDU_MODE_ATS) && edu_tlb__enabled(e))
		return map_translated(e, iov);
	if (job->mode & EDU_MODE_FORGED)
		access |= DMA_TRANSLATED;
	return dma__map_pasid(&e->pci.dma, job->tag.pasid, job->ram, job->count, access, iov,
			      PIECES);
}

/*
 * A dword written to the interrupt range without PASID is an interrupt, whatever translates (VT-d 3.15);
 * if remapping blocks it, that has been recorded.  False: the DMA is none.
 */
static bool interrupt(struct edu *e, enum edu_result *result)
{
	const struct edu_job *job = &e->job;
	struct msi_msg msg = { .addr = job->ram };
	struct edu_tlb_entry t;

	if (job->ram >> 20 != 0xfee || job->ram % 4 || job->count != 4 || !job->to_ram ||
	    job->tag.pasid != DMA_NO_PASID)
		return false;
	if ((job->mode & EDU_MODE_ATS) && edu_tlb__enabled(e)) {
		if (edu_tlb__translate(e, &job->tag, job->ram, DMA_WRITE, &t) || !t.untranslated)
			return false;
	} else if (job->mode & EDU_MODE_FORGED) {
		return false;
	}
	memcpy(&msg.data, e->buf + job->at, sizeof(msg.data));
	*result = irq__msi(e->pci.vm->irq, e->pci.dma.sid, &msg) ? EDU_REFUSED : EDU_DONE;
	return true;
}

/* Whole, or not at all. */
static enum edu_result transfer(struct edu *e)
{
	u8 *buf = e->buf + e->job.at;
	struct iovec iov[PIECES];
	enum edu_result result;
	int n;

	if (!pci__bus_master(&e->pci))
		return EDU_NO_MASTER;
	if (interrupt(e, &result))
		return result;
	n = map_job(e, iov);
	if (n < 0)
		return n == -EACCES ? EDU_NO_ACCESS : EDU_REFUSED;
	for (int i = 0; i < n; i++) {
		if (e->job.to_ram)
			memcpy(iov[i].iov_base, buf, iov[i].iov_len);
		else
			memcpy(buf, iov[i].iov_base, iov[i].iov_len);
		buf += iov[i].iov_len;
	}
	return EDU_DONE;
}

static void finish(struct edu *e, enum edu_result result)
{
	e->job.active = e->job.waiting = false;
	e->result = result;
	e->cmd &= ~EDU_CMD_START;
	if (e->job.irq)
		edu_regs__raise_irq(e, EDU_IRQ_DMA);
}

/* A page request for where it stopped; false: it cannot be sent. */
static bool ask(struct edu *e)
{
	struct edu_job *job = &e->job;

	if (!(job->mode & EDU_MODE_PRI))
		return false;
	job->prgi = edu_pri__new_group(e);
	job->waiting = true;
	if (edu_pri__send(e, &job->tag, job->no_access, job->to_ram ? DMA_WRITE : DMA_READ,
			  job->prgi, true))
		return true;
	job->waiting = false;
	return false;
}

/*
 * Until it is done, refused or waits.  An answer that comes while the request is being sent (a full
 * queue's, VT-d 7.4.1) is taken up here rather than within itself.
 */
static void go_on(struct edu *e)
{
	struct edu_job *job = &e->job;
	enum edu_result result;

	job->running = true;
	for (;;) {
		result = transfer(e);
		if (result != EDU_NO_ACCESS)
			break;
		if (job->tries == TRIES) {
			result = EDU_NO_SUCCESS;
			break;
		}
		job->tries++;
		if (!ask(e))
			break;
		if (job->waiting) {
			e->result = EDU_PENDING;
			job->running = false;
			return;
		}
		result = job->answer;
		if (result != EDU_DONE)
			break;
	}
	job->running = false;
	finish(e, result);
}

void edu_dma__start(struct edu *e)
{
	bool to_ram = e->cmd & EDU_CMD_TO_RAM;
	u64 at = (to_ram ? e->src : e->dst) - EDU_BUF_BASE;

	if (e->job.active)
		return;
	e->job = (struct edu_job){
		.active = true,
		.to_ram = to_ram,
		.irq = e->cmd & EDU_CMD_IRQ,
		.mode = e->mode,
		.tag = edu_regs__tag(e, !to_ram),
		.ram = to_ram ? e->dst : e->src,
		.at = at,
		.count = e->count,
	};
	if (!e->count || at >= EDU_BUF_SIZE || e->count > EDU_BUF_SIZE - at)
		finish(e, EDU_BAD_RANGE);
	else
		go_on(e);
}

void edu_dma__answer(struct edu *e, enum edu_result answer)
{
	struct edu_job *job = &e->job;

	job->waiting = false;
	job->answer = answer;
	if (job->running)
		return;
	if (answer == EDU_DONE)
		go_on(e);
	else
		finish(e, answer);
}
