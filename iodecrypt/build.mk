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

# `nether-image upload`: a program of its own, because what has keys needs no network, and no library for it. OpenSSL's
# shared library, which libcurl brings, must not find crypto/'s objects instead of its own.
DEPS += libcurl4-openssl-dev libcjson-dev
UPLOAD_OBJS := $(patsubst %,$(B)/host/%.o,$(wildcard iodecrypt/tool/upload/*.c))
UPLOAD_SHARED := $(addprefix iodecrypt/tool/,file.c progress.c say.c)
UPLOAD_LIB := $(B)/host/upload.a
UPLOAD_LIBS := -lcurl -lcjson

$(UPLOAD_OBJS): $(B)/host/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<
$(UPLOAD_LIB): $(UPLOAD_SHARED:%=$(B)/host/%.o) $(filter $(B)/host/crypto/%,$(TOOL_OBJS)) $(CRYPTO_THIRD)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(B)/nether-image-upload: $(UPLOAD_OBJS) $(UPLOAD_LIB)
	$(say) LD $@
	$(Q)$(CC) -pthread -Wl,-z,relro,-z,now -Wl,--exclude-libs,upload.a -o $@ $^ $(UPLOAD_LIBS)
ALL += $(B)/nether-image-upload
-include $(UPLOAD_OBJS:.o=.d)
