# SPDX-License-Identifier: Apache-2.0
# build/attack/: what the attacks bring into dom0.
DEPS += libxen-dev
$(B)/deps.mk: tests/attack/build.mk

ATTACK := $(B)/attack
ATTACK_GUEST_FLAGS := -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -mgeneral-regs-only -mno-red-zone \
	-fno-tree-loop-distribute-patterns -mcmodel=small -I. -nostdlib -static -no-pie \
	-Wl,-e,start,-Ttext-segment=0x100000,--build-id=none,-z,noexecstack,-z,max-page-size=4096 \
	-Wl,--no-warn-rwx-segments
# Static, so that it needs nothing of dom0's image. GNU C: Xen's headers ask for it.
ATTACK_LIBS := -lxenctrl -lxenguest -lxenforeignmemory -lxengnttab -lxendevicemodel -lxenevtchn -lxencall \
	-lxenhypfs -lxentoollog -lxentoolcore
ATTACK_DOM0 := $(patsubst tests/attack/%.c,$(ATTACK)/%.o,$(wildcard tests/attack/dom0/*.c))

TOOLS += $(ATTACK)/guest.elf $(ATTACK)/peer.elf $(ATTACK)/attack

$(ATTACK)/guest.elf: tests/attack/guest/guest.c
$(ATTACK)/peer.elf: tests/attack/guest/peer.c tests/attack/guest/memory.c $(wildcard switch-channel/*.h)
$(ATTACK)/guest.elf $(ATTACK)/peer.elf: tests/attack/guest/start.S tests/attack/guest/talk.c tests/attack/guest/events.c \
		tests/attack/pattern.h $(wildcard tests/attack/guest/*.h)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(ATTACK_GUEST_FLAGS) -o $@ $(filter %.S %.c,$^)

$(ATTACK_DOM0): $(ATTACK)/%.o: tests/attack/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -c -o $@ $<
$(ATTACK)/attack: $(ATTACK_DOM0)
	$(say) LD $@
	$(Q)$(CC) -static -o $@ $^ -Wl,--start-group $(ATTACK_LIBS) -Wl,--end-group
-include $(ATTACK_DOM0:.o=.d)

# What Xen starts when dom0 has crashed, and what tells it so.
TOOLS += $(ATTACK)/crash.bin $(ATTACK)/crash-load

$(ATTACK)/crash.bin: tests/attack/crash/crash.c tests/attack/crash/crash.ld tests/attack/pattern.h
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -fpie -fvisibility=hidden -fno-stack-protector \
		-fno-asynchronous-unwind-tables -fcf-protection=none -mgeneral-regs-only -mno-red-zone \
		-fno-tree-loop-distribute-patterns -fno-jump-tables -I. -nostdlib -static-pie \
		-Wl,-T,tests/attack/crash/crash.ld,--build-id=none,-z,noexecstack,--no-warn-rwx-segments,--no-dynamic-linker \
		-o $@.elf $<
	$(Q)objcopy -O binary -j .text $@.elf $@

$(ATTACK)/crash-load: tests/attack/crash/load.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -static -o $@ $< -Wl,--start-group $(ATTACK_LIBS) -Wl,--end-group

# Looks for what is on a guest's disk, in dom0.
TOOLS += $(ATTACK)/disk-search
run: $(ATTACK)/disk-search
$(ATTACK)/disk-search: tests/attack/disk/search.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -static -o $@ $< -Wl,--start-group $(ATTACK_LIBS) -Wl,--end-group

# On a channel.
TOOLS += $(ATTACK)/channel-host
$(ATTACK)/channel-host: tests/attack/channel/host.c monitor/ctl/ask.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -static -o $@ $^ -Wl,--start-group $(ATTACK_LIBS) -Wl,--end-group

# On a disk: a netherd and a device model that lie.
TOOLS += $(ATTACK)/lying/netherd $(ATTACK)/lying_qemu.so

$(ATTACK)/lying_netherd.o: tests/attack/disk/lying_netherd.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<
$(ATTACK)/lying/netherd: $(ATTACK)/lying_netherd.o $(NETHERD_OBJS) $(CRYPTO_THIRD)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -static -Wl,--wrap=pread,--wrap=pwrite,--wrap=fdatasync -o $@ $^ \
		-Wl,--start-group $(NETHERD_LIBS) -Wl,--end-group
$(ATTACK)/lying_qemu.so: tests/attack/disk/lying_qemu.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -fPIC -shared -o $@ $<
-include $(ATTACK)/lying_netherd.d $(ATTACK)/lying_qemu.d
