/* SPDX-License-Identifier: GPL-2.0-only */

/* What is printed of a vCPU's registers and interrupts. */

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "tap.h"
#include "lkvm/vm.h"

static int fake_ioctl(int fd, unsigned long req, void *arg);
#define ioctl fake_ioctl
#include "x86/vcpu_regs.c"
#undef ioctl

void pr_err(const char *fmt, ...)
{
}

static struct kvm_lapic_state lapic;
static struct kvm_vcpu_events events;
static unsigned long refused;

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	if (req == refused) {
		errno = EIO;
		return -1;
	}
	switch (req) {
	case KVM_GET_REGS:
		*(struct kvm_regs *)arg = (struct kvm_regs){ .rip = 0xfff0, .r15 = 15 };
		return 0;
	case KVM_GET_SREGS:
		*(struct kvm_sregs *)arg = (struct kvm_sregs){ .cs.selector = 8, .cr3 = 0x5000 };
		return 0;
	case KVM_GET_LAPIC:
		*(struct kvm_lapic_state *)arg = lapic;
		return 0;
	case KVM_GET_VCPU_EVENTS:
		*(struct kvm_vcpu_events *)arg = events;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

static void prints(const char *want)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	vcpu__dump_regs(out, -1, 2);
	fclose(out);
	ok(strstr(text, want), "has \"%s\"", want);
	if (!strstr(text, want))
		printf("# %s\n", text);
	free(text);
}

/* In register @reg of the eight that hold a bit for each vector. */
static void set_vector(u32 reg, u32 vec)
{
	lapic.regs[reg + vec / 32 * 16 + vec % 32 / 8] |= 1 << vec % 8;
}

int main(void)
{
	prints("vCPU 2: rip 000000000000fff0 rflags 00000000 cs 0008 ss 0000\n");
	prints(" r15 000000000000000f\n");
	prints(" cr3 0000000000005000 ");
	prints("vCPU 2: tpr 00 isr - irr - injected -\n");
	lapic.regs[0x80] = 0x20;
	set_vector(0x100, 0x31);
	set_vector(0x200, 0x1f);
	set_vector(0x200, 0xec);
	set_vector(0x200, 0xff);
	events.interrupt.injected = 1;
	events.interrupt.nr = 0x31;
	prints("vCPU 2: tpr 20 isr 31 irr 1f ec ff injected 31\n");
	refused = KVM_GET_LAPIC;
	prints("vCPU 2: KVM does not give its interrupts\n");
	refused = KVM_GET_SREGS;
	prints("vCPU 2: KVM does not give its registers\n");
	return tap_done();
}
