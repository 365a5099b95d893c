# SPDX-License-Identifier: Apache-2.0
# netherd-api with sanitizers, over a pretended monitor.
DEPS += tpm2-tools swtpm swtpm-tools
$(B)/deps.mk: tests/api/build.mk

API_FAKE_SRCS := $(filter-out monitor/ctl/ask.c,$(API_SRCS)) tests/api/monitor.c
API_FAKE := $(API_FAKE_SRCS:%=$(B)/api.o/%.o)
API_FAKE_FLAGS := -std=gnu11 -DPROCESS_NAME='"netherd-api"'

$(API_FAKE): $(B)/api.o/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(netherd-api, fake)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) $(API_FAKE_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
$(B)/api/netherd-api: $(API_FAKE)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(FAKE_CFLAGS) -o $@ $^ $(API_LIBS)
# For fuzzers, which have functions of their own in place of some.
$(B)/api/api.a: $(filter-out %/main.c.o,$(API_FAKE))
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^
TOOLS += $(B)/api/netherd-api
-include $(API_FAKE:.o=.d)
