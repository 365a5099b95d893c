# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. One make, no recursion: a directory with things of its own to build
# has a build.mk that is read here. It adds to these lists (paths under $(B)):
#   ALL        built by a plain `make`
#   UNIT       test programs, run by `make test`: 0 is a pass
#   FUZZ       libFuzzer programs, smoke-run by `make test`
#   L1         multiboot programs that run as L1 in the lab
#   TOOLS      what tests use besides

B := build
VERSION := 0.1.0
MAKEFLAGS += -j$(shell nproc) --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# Everything that any target needs, for Debian 12. `make DEPS=` trusts the machine as it is.
DEPS := gcc make binutils libc6-dev git python3 \
	clang clang-format clang-tidy libclang-rt-14-dev libcmocka-dev libcapstone-dev \
	cppcheck shellcheck spin systemd sparse kmod linux-headers-amd64 iperf3 ethtool \
	qemu-system-x86 swtpm swtpm-tools mmdebstrap xorriso mtools cpio busybox-static \
	grub-common grub-pc-bin grub-efi-amd64-bin ovmf e2fsprogs bochs bochsbios vgabios isolinux syslinux-common

# One image for each backend. A backend walks its own table format, not the other's.
BACKENDS := svm vmx
IMAGES := $(BACKENDS:%=$(B)/nethervisor-%.elf)
OTHER_FORMAT_svm := ept/ept.c
OTHER_FORMAT_vmx := ept/npt.c

CC := gcc
Q := $(if $(V),,@)
say := @echo "   "
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef \
	-Wpointer-arith -Wwrite-strings -Wcast-align -Wimplicit-fallthrough -Wno-unused-parameter
CPPFLAGS := -I. -I$(B) -MMD -MP
# Code below Xen: no C library, no FPU registers, no red zone (exceptions use the same stack).
# Loops do not turn into calls: memcpy & co. are themselves loops.
IMAGE_CFLAGS := -std=c11 -O2 -g $(WARN) -ffreestanding -mgeneral-regs-only \
	-mno-red-zone -fno-pic -fno-pie -mcmodel=small -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-common \
	-ffunction-sections -fdata-sections
# Across files, which spares a fifth of the instructions of an exit. Not what copies, compares and wipes memory, and
# no cryptography: a copy of what L1 can change is taken once, and a key is gone, whatever the optimizer knows.
IMAGE_LTO := -flto -flto-partition=one
lto = $(if $(filter crypto/% monitor/lib.c,$(1)),,$(IMAGE_LTO))
IMAGE_LDFLAGS := -nostdlib -static -no-pie -Wl,--gc-sections,--build-id=none,-z,noexecstack \
	-Wl,-z,max-page-size=4096,--no-warn-rwx-segments
# Ordinary programs.
HOST_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g $(WARN)

ALL :=
UNIT :=
FUZZ :=
L1 :=
TOOLS :=

.PHONY: all
all:

# --- packages: checked before anything else is made, installed only when one is missing ---------
ifneq ($(filter-out help clean deps,$(or $(MAKECMDGOALS),all)),)
include $(B)/deps.mk
endif

$(B)/deps.mk: Makefile $(wildcard tests/*/build.mk)
	@mkdir -p $(@D)
	@missing=; for p in $(DEPS); do \
		dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || \
			missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		if [ "$$(id -u)" != 0 ]; then \
			echo "not root: run 'make deps' as root, or 'make DEPS=' to go on without" >&2; \
			exit 1; \
		fi; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install -y --no-install-recommends $$missing; \
	fi
	@echo "# packages are there" >$@

# --- the version: the commit, no dates, so that a commit and the same Debian packages (compiler,
# libraries of crypto/) give the same image everywhere ---------------------------------------------
.PHONY: FORCE
FORCE:
$(B)/version.h: FORCE
	@mkdir -p $(@D)
	@hash=$$(git describe --always --abbrev=12 --exclude='*' --dirty=+ 2>/dev/null); \
	printf '/* Made by make. */\n#define NETHERVISOR_VERSION "%s"\n' \
		"$(VERSION)$${hash:+-$$hash}" >$@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

include crypto/build.mk

# --- the images ------------------------------------------------------------------------------
# image-sources BACKEND
image-sources = $(wildcard monitor/*.[cS] monitor/boot/*.[cS] monitor/iommu/*.[cS] \
	monitor/$(1)/*.[cS]) \
	$(filter-out $(OTHER_FORMAT_$(1)),$(wildcard ept/*.c)) $(wildcard attest/*.c crypto/*.[cS] iodecrypt/*.c)

define image
$(1)_OBJS := $$(addprefix $(B)/$(1)/,$$(addsuffix .o,$$(call image-sources,$(1))))

$(B)/$(1)/%.c.o: %.c | $(B)/version.h
	@mkdir -p $$(@D)
	$$(say) CC $$<
	$$(Q)$$(CC) $$(CPPFLAGS) $$(IMAGE_CFLAGS) $$(call lto,$$<) -c -o $$@ $$<
$(B)/$(1)/%.S.o: %.S | $(B)/version.h
	@mkdir -p $$(@D)
	$$(say) CC $$<
	$$(Q)$$(CC) $$(CPPFLAGS) $$(IMAGE_CFLAGS) -c -o $$@ $$<

-include $$($(1)_OBJS:.o=.d) $$(patsubst %,$(B)/$(1)/monitor/keys/%.c.d,none dev)
endef
$(foreach hw,$(BACKENDS),$(eval $(call image,$(hw))))

# link BACKEND NAME KEYS: elf64 has the symbols, for gdb; multiboot loaders take ELF32 only. NAME-dev is for
# development: it takes disks' keys from L1 (monitor/keys/dev.c).
define link
$(B)/nethervisor-$(2).elf64: $$($(1)_OBJS) $(B)/$(1)/monitor/keys/$(3).c.o $(CRYPTO_THIRD) monitor/image.lds
	$$(say) LD $$@
	$$(Q)$$(CC) $$(IMAGE_CFLAGS) $$(IMAGE_LTO) $$(IMAGE_LDFLAGS) -Wl,-T,monitor/image.lds \
		-Wl,-Map,$(B)/nethervisor-$(2).map -o $$@ $$($(1)_OBJS) \
		$(B)/$(1)/monitor/keys/$(3).c.o $(CRYPTO_THIRD)
$(B)/nethervisor-$(2).elf: $(B)/nethervisor-$(2).elf64
	$$(Q)objcopy -O elf32-i386 --strip-debug $$< $$@

ALL += $(B)/nethervisor-$(2).elf
endef
$(foreach hw,$(BACKENDS),$(eval $(call link,$(hw),$(hw),none)))
$(foreach hw,$(BACKENDS),$(eval $(call link,$(hw),$(hw)-dev,dev)))

# --- netherctl: static, so that it runs in any dom0 ----------------------------------------------
CTL_OBJS := $(patsubst %,$(B)/host/%.o,$(wildcard monitor/ctl/*.c))
$(CTL_OBJS): $(B)/host/%.c.o: %.c | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<
$(B)/netherctl: $(CTL_OBJS)
	$(say) LD $@
	$(Q)$(CC) -static -o $@ $^
ALL += $(B)/netherctl
-include $(CTL_OBJS:.o=.d)

# --- the rest ------------------------------------------------------------------------------------
include $(wildcard attest/build.mk iodecrypt/build.mk switch-channel/build.mk switch-channel/linux/build.mk \
	tests/*/build.mk tests/lab/l1/build.mk tests/attack/l1/build.mk)
L1 += $(L1_ELFS)

.PHONY: deps tests list-tests run test test-all attack lint format docs tcb bench release-hashes install uninstall clean help
all: $(ALL) $(L1)
deps: $(B)/deps.mk
tests: all $(UNIT) $(FUZZ) $(TOOLS)

list-tests:
	@printf '%s\n' $(UNIT) $(FUZZ) $(L1)

run: all
	@tests/demo $(HW) $(if $(INTERACTIVE),--interactive)

# tests/run makes `tests` itself, so that what does not compile is a failed test like any other.
test:
	@tests/run $(if $(T),'$(T)')
test-all:
	@tests/run --all

# A hostile L1's, dom0's, and those on a disk, or of all those that T names: L1's are l1-NAME, a disk's disk-NAME.
attack: tests
	@$(if $(filter l1-%,$(T))$(if $(T),,all),tests/attack/l1/run $(if $(HW),--hw $(HW)) $(filter l1-%,$(T)),:)
	@$(if $(filter-out l1-% disk-%,$(T))$(if $(T),,all),tests/attack/run $(if $(HW),--hw $(HW)) \
		$(filter-out l1-% disk-%,$(T)),:)
	@$(if $(filter disk-%,$(T))$(if $(T)$(filter vmx,$(HW)),,all),tests/attack/disk/run $(filter disk-%,$(T)),:)

lint:
	@tests/lint

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

docs:
	@tests/docs/render

tcb: $(IMAGES)
	@tests/tcb $(BACKENDS)

bench: all
	@tests/bench/run $(T)

# What a tenant's policy is to hold: of the images; attest/release-hashes says more of a boot disk (O='--esp DIR ..').
release-hashes: $(IMAGES)
	@attest/release-hashes --images $(IMAGES) $(O)

# Of the switch domain: what makes its image, and examples.
DOMS_FILES := /usr/share/nethervisor/doms

install: $(IMAGES) $(B)/netherctl $(B)/netherd $(B)/netherd-api $(B)/nether-port \
		$(addprefix $(B)/,nether-image nether-image-upload nether-attest)
	install -d $(DESTDIR)/boot
	install -m 644 $(IMAGES) $(DESTDIR)/boot
	install -D -m 755 $(B)/netherctl $(DESTDIR)/usr/sbin/netherctl
	install -D -m 755 $(B)/netherd $(DESTDIR)/usr/sbin/netherd
	install -D -m 755 $(B)/nether-port $(DESTDIR)/usr/sbin/nether-port
	install -d $(DESTDIR)/usr/bin
	install -m 755 $(B)/nether-image $(B)/nether-image-upload $(B)/nether-attest $(DESTDIR)/usr/bin
	install -D -m 644 attest/netherd/netherd@.service $(DESTDIR)/lib/systemd/system/netherd@.service
	install -D -m 755 $(B)/netherd-api $(DESTDIR)/usr/sbin/netherd-api
	install -D -m 755 attest/api/nether-vm $(DESTDIR)/usr/sbin/nether-vm
	install -D -m 644 attest/api/netherd-api.service $(DESTDIR)/lib/systemd/system/netherd-api.service
	install -D -m 644 attest/api/netherd-vm.service $(DESTDIR)/lib/systemd/system/netherd-vm.service
	install -D -m 644 attest/api/netherd.sysusers $(DESTDIR)/usr/lib/sysusers.d/netherd.conf
	install -D -m 755 switch-channel/doms/nether-doms $(DESTDIR)/usr/sbin/nether-doms
	install -D -m 644 switch-channel/doms/nether-doms.service $(DESTDIR)/lib/systemd/system/nether-doms.service
	install -D -m 644 switch-channel/port/nether-port@.service $(DESTDIR)/lib/systemd/system/nether-port@.service
	install -d $(DESTDIR)$(DOMS_FILES)
	cp -R $(addprefix switch-channel/doms/,doms-image doms.cfg doms.conf example root) $(DESTDIR)$(DOMS_FILES)
	install -D -m 755 monitor/boot/19_nethervisor $(DESTDIR)/etc/grub.d/19_nethervisor
	@echo 'Now run update-grub; docs/install.md has the rest.'

uninstall:
	rm -rf $(DESTDIR)/usr/share/nethervisor
	rm -f $(IMAGES:$(B)/%=$(DESTDIR)/boot/%) $(addprefix $(DESTDIR)/usr/sbin/,netherctl netherd netherd-api nether-port nether-vm nether-doms) \
		$(addprefix $(DESTDIR)/usr/bin/,nether-image nether-image-upload nether-attest) \
		$(DESTDIR)/usr/lib/sysusers.d/netherd.conf \
		$(addprefix $(DESTDIR)/lib/systemd/system/,netherd@.service netherd-api.service netherd-vm.service nether-doms.service nether-port@.service) \
		$(DESTDIR)/etc/grub.d/19_nethervisor

clean:
	rm -rf $(B)

help:
	@echo 'make              build the images, netherctl, netherd and the L1 programs'
	@echo 'make deps         install the Debian packages that are missing (other targets do it too)'
	@echo 'make run          boot monitor, Xen, dom0 and a guest; INTERACTIVE=1 leaves a dom0 shell,'
	@echo '                  HW=vmx has Intel VT-x instead of AMD SVM'
	@echo "make test         all tests but the long ones; T='glob' for some, e.g. T='unit/*'"
	@echo 'make test-all     every test'
	@echo 'make attack       attack a guest without the monitor and with it: a table; HW=vmx for Intel,'
	@echo "                  T='NAME..' for some"
	@echo 'make lint         formatting, static analysis, the rules of the tree'
	@echo 'make format       apply clang-format'
	@echo 'make docs         what is rendered from tables in the code: docs/exposure.md'
	@echo 'make tcb          lines of code linked into an image, per room'
	@echo "make bench        what all of it costs; T='NAME..', --disks, --attest, --net, --pair or --channel for some"
	@echo "make release-hashes  the images' SHA-256; with O='--esp DIR ..' what a boot by UEFI will measure (docs/uefi.md)"
	@echo 'make install      to /boot, /etc/grub.d, /usr/sbin and /lib/systemd under $$(DESTDIR); then update-grub'
	@echo 'make uninstall    the reverse'
	@echo 'make nether-vif   the guests'\'' kernel module, for KERNEL=/lib/modules/VERSION/build; make dkms, make install-dkms'
	@echo 'make clean        remove build/'
	@echo 'V=1 shows the commands that are run.'
