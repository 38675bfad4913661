# SPDX-License-Identifier: GPL-2.0-only
#
# make            the lkvm binary
# make check      everything but measurements (docs/testing.md)
# make unit       unit tests alone, under ASan and UBSan
# make lint       cppcheck
# make guest      freestanding guests alone
# make program    commands, errors and statuses, with such guests; what make install gives
# make fuzz       fuzzers, FUZZ_SECONDS=60 each, FUZZ_JOBS at a time
# make demo       the main job, three kernels deep
# make bench      measurements (docs/performance.md)
# make deps       installs what these need; check and demo begin with it
# make install    to PREFIX, below DESTDIR; make uninstall takes it away again
# V=1 shows commands; CC=clang, SAN=1 (sanitizers), O=dir as usual.

PREFIX	?= /usr/local
CC	?= gcc
O	?= build
VERSION	:= 0.1

ROOMS	:= x86 virtio vfio iommu
SRCS	:= lkvm.c $(sort $(wildcard $(ROOMS:%=%/*.c)))
OBJS	:= $(SRCS:%.c=$(O)/%.o)
UNITS	:= $(patsubst tests/unit/%.c,$(O)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))

WARN	:= -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wimplicit-fallthrough \
	   -Wno-unused-parameter -Werror
CFLAGS	?= -O2 -g
BASE	:= -std=gnu11 $(WARN) -Iinclude -I. -D_GNU_SOURCE -DLKVM_VERSION='"$(VERSION)"' \
	   -fno-strict-aliasing -pthread -MMD -MP
HARDEN	:= -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LDHARD	:= -pie -Wl,-z,relro,-z,now,-z,noexecstack
LIBS	:= -lfdt -laio -lslirp -lzstd -lz -pthread
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

ifeq ($(SAN),1)
BASE	+= $(SANITIZE)
HARDEN	:= -fPIE
LDHARD	:= -pie $(SANITIZE)
endif

Q	:= $(if $(V),,@)

lkvm $(O)/lkvm: $(OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDHARD) $(LDFLAGS) -o $@ $(OBJS) $(LIBS)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS) $(BASE) $(HARDEN) -c -o $@ $<

$(O)/unit/%: tests/unit/%.c
	@mkdir -p $(@D)
	@echo "  UNIT    $<"
	$(Q)$(CC) -O1 -g $(BASE) $(SANITIZE) -o $@ $< $(LIBS)

-include $(OBJS:.o=.d) $(UNITS:=.d)

unit: $(UNITS)
	$(Q)tests/unit/run $(UNITS)

# Installs what building, testing and the lab need (Debian; says what before it does).
deps:
	$(Q)tests/deps

check: deps
	$(Q)tests/check

demo: deps
	$(Q)$(MAKE) --no-print-directory lkvm
	$(Q)tests/lab/demo/run

install: lkvm
	install -D -m 755 lkvm "$(DESTDIR)$(PREFIX)/bin/lkvm"
	install -D -m 644 lkvm.1 "$(DESTDIR)$(PREFIX)/share/man/man1/lkvm.1"
	install -D -m 644 docs/lkvm.bash-completion \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/lkvm"

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/lkvm" "$(DESTDIR)$(PREFIX)/share/man/man1/lkvm.1" \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/lkvm"

# Measurements, most against QEMU in the lab (docs/performance.md).
bench: lkvm
	$(Q)tests/bench/run

# The VT-d room as built for lkvm, without the machine around it.  Stripped: valgrind cannot read what
# every compiler writes about lines.
$(O)/bench/vtd: tests/bench/vtd.c tests/unit/vtd_tables.h $(O)/x86/mem.o $(O)/x86/util.o \
		$(filter-out $(addprefix $(O)/iommu/,vtd.o turn.o dmar.o debug.o verbs.o),$(filter $(O)/iommu/%,$(OBJS)))
	@mkdir -p $(@D)
	@echo "  BENCH   $@"
	$(Q)$(CC) $(CFLAGS) $(BASE) $(HARDEN) $(LDHARD) -Wl,--strip-debug -o $@ $(filter %.c %.o,$^)

# Static analysis; any finding fails.
lint:
	$(Q)cppcheck -q --error-exitcode=1 --enable=warning,portability --inline-suppr \
		--suppress=missingIncludeSystem --std=c11 -D__x86_64__ -Iinclude -I. lkvm.c $(ROOMS)

clean:
	rm -rf $(O) lkvm

.PHONY: bench lint unit deps check demo install uninstall clean
.DELETE_ON_ERROR:

# Freestanding guests (docs/testdev.md): builds and runs them.
GUESTS	:= $(patsubst tests/guest/%.c,$(O)/guest/%.elf,$(sort $(wildcard tests/guest/*.c)))
GUEST_LIB := $(sort $(wildcard tests/guest/lib/*.[cS]))
GUEST_CFLAGS := -std=gnu11 $(WARN) -O2 -g -m64 -ffreestanding -nostdlib -static -fno-pic \
	   -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	   -fno-asynchronous-unwind-tables -Itests/guest/lib -T tests/guest/lib/guest.ld \
	   -Wl,--build-id=none,-z,noexecstack,--no-warn-rwx-segments

$(O)/guest/%.elf: tests/guest/%.c $(GUEST_LIB) $(wildcard tests/guest/lib/*.h tests/guest/lib/*.ld)
	@mkdir -p $(@D)
	@echo "  GUEST   $@"
	$(Q)$(CC) $(GUEST_CFLAGS) -o $@ $< $(GUEST_LIB)

# The same for Multiboot, which wants ELF32.
$(O)/guest/boot32.elf: $(O)/guest/boot.elf
	$(Q)objcopy -O elf32-i386 $< $@

# All that `make check` runs, so that its parts find it built.
tests: $(UNITS) $(GUESTS) $(O)/guest/boot32.elf $(O)/lkvm $(O)/bench/vtd

guest: $(GUESTS) $(O)/guest/boot32.elf $(O)/lkvm
	$(Q)LKVM=$(O)/lkvm tests/guest/run $(O)/guest

# The program around them: commands, errors, statuses; and what is installed.
program: $(O)/guest/loop.elf $(O)/lkvm lkvm
	$(Q)LKVM=$(O)/lkvm GUESTS=$(O)/guest tests/unit/run tests/guest/program tests/install

.PHONY: guest program tests

# Fuzzers (docs/testing.md): FUZZ_SECONDS each.
FUZZERS	:= $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c)))
FUZZ_CC	?= clang
FUZZ_SECONDS ?= 60
FUZZ_JOBS ?= $(shell nproc)

$(O)/fuzz/%: tests/fuzz/%.c
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	$(Q)$(FUZZ_CC) -O1 -g $(BASE) -Wno-unused-function -Wno-unused-variable \
		-fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -o $@ $<

-include $(FUZZERS:%=$(O)/fuzz/%.d)

fuzz:
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_JOBS=$(FUZZ_JOBS) FUZZ_CC=$(FUZZ_CC) MAKE='$(MAKE)' tests/fuzz/run $(O) $(FUZZERS)

.PHONY: fuzz
