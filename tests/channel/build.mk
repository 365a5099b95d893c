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
