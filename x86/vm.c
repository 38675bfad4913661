/* SPDX-License-Identifier: GPL-2.0-only */

/* The virtual machine: KVM's, and what every other module stands on. */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lkvm/bus.h"
#include "lkvm/irq.h"
#include "lkvm/layout.h"
#include "lkvm/loop.h"
#include "lkvm/mem.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/vcpu.h"

/* Intel needs four pages that the guest does not use, for real mode (KVM api.rst 4.7, 4.34). */
#define IDENTITY_MAP 0xfeffc000ULL
#define TSS_ADDR     0xfeffd000ULL

static const struct {
	int cap;
	const char *name;
	const char *since;
} needed[] = {
	{ KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP", "4.4" },
	{ KVM_CAP_X2APIC_API, "X2APIC_API", "4.8" },
	{ KVM_CAP_IRQFD, "IRQFD", "2.6.32" },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD", "2.6.32" },
	{ KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI", "3.5" },
	{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", "4.13" },
};

#define WHY_SIZE 256

/* /dev/kvm, or a negative errno with the reason and the remedy in @why. */
static int open_kvm(char why[WHY_SIZE])
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int err = errno, version;

	if (fd < 0) {
		snprintf(why, WHY_SIZE, "cannot open /dev/kvm: %s; %s", strerror(err),
			 err == EACCES || err == EPERM
			     ? "join the group that owns it (usually kvm), or run as root"
			     : "modprobe kvm_intel or kvm_amd, and enable virtualisation in the "
			       "firmware");
		return -err;
	}
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION)
		return fd;
	snprintf(why, WHY_SIZE, "/dev/kvm speaks API version %d, not %d; update the host's kernel",
		 version, KVM_API_VERSION);
	close(fd);
	return -EPROTO;
}

/* 0, or -EOPNOTSUPP with the reason in @why. */
static int check_needed(int kvm_fd, char why[WHY_SIZE])
{
	for (unsigned int i = 0; i < ARRAY_SIZE(needed); i++) {
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) > 0)
			continue;
		snprintf(why, WHY_SIZE, "KVM lacks %s; lkvm needs a host kernel of %s or newer",
			 needed[i].name, needed[i].since);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int enable_cap(int vm_fd, u32 cap, const char *name, u64 arg)
{
	struct kvm_enable_cap e = { .cap = cap, .args[0] = arg };

	if (ioctl(vm_fd, KVM_ENABLE_CAP, &e) == 0)
		return 0;
	pr_err("KVM refuses %s: %s", name, strerror(errno));
	return -errno;
}

static int create_vm(int kvm_fd)
{
	u64 identity = IDENTITY_MAP;
	int ret, fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);

	if (fd < 0) {
		ret = -errno;
		pr_err("KVM cannot create a virtual machine: %s", strerror(-ret));
		return ret;
	}
	if (ioctl(fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0 ||
	    ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0) {
		ret = -errno;
		pr_err("KVM refuses the pages for its real mode: %s", strerror(-ret));
		goto err;
	}
	ret = enable_cap(fd, KVM_CAP_SPLIT_IRQCHIP, "the split irqchip", IOAPIC_PINS);
	if (ret < 0)
		goto err;
	ret = enable_cap(fd, KVM_CAP_X2APIC_API, "32-bit APIC ids",
			 KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
	if (ret < 0)
		goto err;
	/*
	 * The guest's TSC runs at the host's rate.  KVM's default is what the rate was when its module was
	 * loaded; the kernel may have measured it better since, and where the CPU cannot scale the TSC the
	 * difference stops the guest's timers.  0 means the rate of now; it fails before Linux 5.16.
	 */
	ioctl(fd, KVM_SET_TSC_KHZ, 0);
	return fd;
err:
	close(fd);
	return ret;
}

/* vCPU ids are the numbers from 0, so that the limits on their number and on ids are one. */
static int max_vcpus(int kvm_fd)
{
	int n = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	int ids = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID);

	return ids > 0 ? MIN(n, ids) : n;
}

/* What the user asked for against what this host's KVM can do. */
static int check_limits(struct vm *vm)
{
	struct kvm_cpuid2 *cpuid;
	int max = max_vcpus(vm->kvm_fd);

	if (max > 0 && vm->cpus > (unsigned int)max) {
		pr_err("--cpus %u: this host's KVM allows %d", vm->cpus, max);
		return -EINVAL;
	}
	cpuid = cpuid__supported(vm->kvm_fd);
	if (!cpuid)
		return -EIO;
	vm->phys_bits = cpuid__phys_bits(cpuid);
	free(cpuid);
	/* RAM, and as much again for 64-bit BARs. */
	if (vm->ram_size + RAM_HIGH_BASE > BIT(vm->phys_bits - 1)) {
		pr_err("--mem: %llu MiB is too much for this host's %u address bits",
		       vm->ram_size / MiB, vm->phys_bits);
		return -EINVAL;
	}
	return 0;
}

static void vm_teardown(struct vm *vm)
{
	irq__free(vm->irq);
	bus__free(vm->pio);
	bus__free(vm->mmio);
	loop__free(vm->loop);
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	mem__free(vm->mem);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
}

static int vm_setup(struct vm *vm)
{
	char why[WHY_SIZE];
	int ret;

	raise_limit(RLIMIT_NOFILE); /* vCPUs and interrupt vectors are a descriptor each */
	vm->vm_fd = -1;
	vm->kvm_fd = ret = open_kvm(why);
	if (ret >= 0)
		ret = check_needed(vm->kvm_fd, why);
	if (ret < 0) {
		pr_err("%s", why);
		goto err;
	}
	ret = check_limits(vm);
	if (ret < 0)
		goto err;
	vm->vm_fd = create_vm(vm->kvm_fd);
	if (vm->vm_fd < 0) {
		ret = vm->vm_fd;
		goto err;
	}
	ret = -ENOMEM; /* each of these has printed its line */
	vm->loop = loop__new();
	if (!vm->loop)
		goto err;
	vm->mem = mem__new(vm->vm_fd, vm->ram_size);
	if (!vm->mem)
		goto err;
	vm->mmio = bus__new(vm->vm_fd, false);
	vm->pio = bus__new(vm->vm_fd, true);
	if (!vm->mmio || !vm->pio)
		goto err;
	vm->irq = irq__new(vm->vm_fd, vm->loop);
	if (!vm->irq)
		goto err;
	ret = irq__ioapic_init(vm->irq, vm->mmio);
	if (ret < 0) {
		pr_err("cannot place the IOAPIC: %s", strerror(-ret));
		goto err;
	}
	return 0;
err:
	vm_teardown(vm);
	return ret;
}

void vm__stop(struct vm *vm, int status)
{
	vcpu__quit();
	loop__stop(vm->loop, status);
}

static bool say_needed(int kvm_fd)
{
	char why[WHY_SIZE];

	if (check_needed(kvm_fd, why) < 0) {
		printf("kvm capabilities: no: %s\n", why);
		return false;
	}
	printf("kvm capabilities: yes (");
	for (unsigned int i = 0; i < ARRAY_SIZE(needed); i++)
		printf("%s%s", i ? " " : "", needed[i].name);
	printf(")\n");
	return true;
}

static bool vm_check(void)
{
	char why[WHY_SIZE];
	int fd = open_kvm(why);
	struct kvm_cpuid2 *cpuid;
	bool good;

	if (fd < 0) {
		printf("kvm: no: %s\n", why);
		return false;
	}
	cpuid = cpuid__supported(fd);
	printf("kvm: yes (up to %d vCPUs, %u physical address bits)\n",
	       MIN(max_vcpus(fd), CPUS_MAX), cpuid ? cpuid__phys_bits(cpuid) : 0);
	good = say_needed(fd);
	if (cpuid && cpuid__nests(cpuid))
		printf("nested kvm: yes (guests have KVM themselves)\n");
	else
		printf("nested kvm: no: the host's KVM does not offer it; for guests that run "
		       "guests: reload kvm_intel or kvm_amd with nested=1\n");
	free(cpuid);
	close(fd);
	return good;
}

static struct module vm_module = {
	.name = "vm",
	.level = MODULE_CORE,
	.setup = vm_setup,
	.teardown = vm_teardown,
	.check = vm_check,
};
LKVM_MODULE(vm_module);
