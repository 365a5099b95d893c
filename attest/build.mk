# SPDX-License-Identifier: Apache-2.0
# netherd, dom0's agent: static, as netherctl is. GNU C: Xen's headers ask for it. Of crypto/ it has the
# derivation of keys, as the image does.
DEPS += libxen-dev
$(B)/deps.mk: attest/build.mk

NETHERD_LIBS := -lxendevicemodel -lxenevtchn -lxenforeignmemory -lxencall -lxenstore -lxentoolcore \
	-lxentoollog
NETHERD_SRCS := $(wildcard attest/netherd/*.c) monitor/ctl/ask.c monitor/ctl/domain.c iodecrypt/keys.c \
	$(filter-out crypto/freestanding.c,$(wildcard crypto/*.[cS]))
NETHERD_OBJS := $(NETHERD_SRCS:%=$(B)/netherd.o/%.o)

$(NETHERD_OBJS): $(B)/netherd.o/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(netherd)"
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -c -o $@ $<
$(B)/netherd: $(NETHERD_OBJS) $(CRYPTO_THIRD)
	$(say) LD $@
	$(Q)$(CC) -static -o $@ $^ -Wl,--start-group $(NETHERD_LIBS) -Wl,--end-group
ALL += $(B)/netherd
-include $(NETHERD_OBJS:.o=.d)
