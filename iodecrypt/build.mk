# SPDX-License-Identifier: Apache-2.0
# nether-image: the tenant's tool, of the engine's and crypto/'s files as they are in the images, hosted.
DEPS += qemu-utils
$(B)/deps.mk: iodecrypt/build.mk

TOOL_ENGINE := $(addprefix iodecrypt/,cache.c checkpoint.c disk.c format.c io.c journal.c keys.c open.c tree.c)
TOOL_SRCS := $(wildcard iodecrypt/tool/*.c) $(TOOL_ENGINE) \
	$(filter-out crypto/freestanding.c,$(wildcard crypto/*.[cS]))
TOOL_OBJS := $(TOOL_SRCS:%=$(B)/host/%.o)

$(TOOL_OBJS): $(B)/host/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -pthread -c -o $@ $<
$(B)/nether-image: $(TOOL_OBJS) $(CRYPTO_THIRD)
	$(say) LD $@
	$(Q)$(CC) -pthread -Wl,-z,relro,-z,now -o $@ $^
ALL += $(B)/nether-image
-include $(TOOL_OBJS:.o=.d)
