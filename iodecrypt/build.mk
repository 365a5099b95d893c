# SPDX-License-Identifier: Apache-2.0
# nether-image: the tenant's tool, of the engine's and crypto/'s files as they are in the images, hosted.
DEPS += qemu-utils libcurl4-openssl-dev libcjson-dev
$(B)/deps.mk: iodecrypt/build.mk

TOOL_ENGINE := $(addprefix iodecrypt/,cache.c checkpoint.c disk.c format.c io.c journal.c keys.c open.c tree.c)
TOOL_SRCS := $(wildcard iodecrypt/tool/*.c) $(TOOL_ENGINE) \
	$(filter-out crypto/freestanding.c,$(wildcard crypto/*.[cS]))
TOOL_OBJS := $(TOOL_SRCS:%=$(B)/host/%.o)

$(TOOL_OBJS): $(B)/host/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -pthread -c -o $@ $<
# libcurl brings OpenSSL's shared library, which must not find the archive's objects instead of its own.
TOOL_LIB := $(B)/host/crypto.a
TOOL_LIBS := -lcurl -lcjson
$(TOOL_LIB): $(filter $(B)/host/crypto/%,$(TOOL_OBJS)) $(CRYPTO_THIRD)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(B)/nether-image: $(filter-out $(B)/host/crypto/%,$(TOOL_OBJS)) $(TOOL_LIB)
	$(say) LD $@
	$(Q)$(CC) -pthread -Wl,-z,relro,-z,now -Wl,--exclude-libs,$(notdir $(TOOL_LIB)) -o $@ $^ $(TOOL_LIBS)
ALL += $(B)/nether-image
-include $(TOOL_OBJS:.o=.d)
