# SPDX-License-Identifier: Apache-2.0
# The ring between real threads: as it is, with the thread sanitizer, and without its fence.
CHANNEL_FLAGS := -pthread
CHANNEL_TESTS := $(addprefix $(B)/channel/,soak soak-tsan litmus litmus-no-fence)

$(B)/channel/soak-tsan: CHANNEL_CC := clang -O1 -fsanitize=thread
$(B)/channel/litmus-no-fence: CHANNEL_CC := $(CC) -DNO_FENCE
$(B)/channel/soak $(B)/channel/soak-tsan: tests/channel/soak.c
$(B)/channel/litmus $(B)/channel/litmus-no-fence: tests/channel/litmus.c
$(CHANNEL_TESTS):
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(or $(CHANNEL_CC),$(CC)) $(CPPFLAGS) $(HOST_CFLAGS) $(CHANNEL_FLAGS) -o $@ $(filter %.c,$^)

TOOLS += $(CHANNEL_TESTS)
-include $(CHANNEL_TESTS:=.d)

# nether-port, with address and undefined-behaviour sanitizers, between network namespaces.
DEPS += iproute2 iputils-ping iperf3
$(B)/deps.mk: tests/channel/build.mk
CHANNEL_PORT := $(B)/channel/nether-port $(B)/channel/scribble
$(B)/channel/nether-port: $(wildcard switch-channel/lib/*.c switch-channel/lib/xen/*.c switch-channel/port/*.c) monitor/ctl/ask.c \
	$(wildcard switch-channel/*.h switch-channel/lib/*.h switch-channel/lib/xen/*.h switch-channel/port/*.h)
$(B)/channel/nether-port: CHANNEL_XEN := -lxenforeignmemory -lxenstore
$(B)/channel/scribble: tests/channel/scribble.c switch-channel/ring.h
$(CHANNEL_PORT):
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -std=gnu11 -o $@ $(filter %.c,$^) $(CHANNEL_XEN)
TOOLS += $(CHANNEL_PORT)

# A peer that keeps no rules: for these, and static for guests of the lab.
$(B)/channel/liar: tests/channel/liar.c $(wildcard switch-channel/lib/*.c) \
	$(wildcard switch-channel/*.h switch-channel/lib/*.h) switch-channel/linux/nether_channel.h
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -static -o $@ $(filter %.c,$^)
TOOLS += $(B)/channel/liar
