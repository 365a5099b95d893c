# SPDX-License-Identifier: Apache-2.0
# nether-image with address and undefined-behaviour sanitizers, for tests/image.
DEPS += qemu-utils openssl
$(B)/deps.mk: tests/image/build.mk

IMAGE_TOOL := $(B)/image/nether-image
IMAGE_TOOL_OBJS := $(patsubst %,$(B)/fake/%.o,$(wildcard iodecrypt/tool/*.c))

$(IMAGE_TOOL_OBJS): $(B)/fake/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(fake)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
$(IMAGE_TOOL): $(IMAGE_TOOL_OBJS) $(B)/fake/machine.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(FAKE_CFLAGS) -pthread -o $@ $(IMAGE_TOOL_OBJS) $(FAKE_LIB)

UPLOAD_TOOL := $(B)/image/nether-image-upload
UPLOAD_TOOL_OBJS := $(patsubst %,$(B)/fake/%.o,$(wildcard iodecrypt/tool/upload/*.c))

$(UPLOAD_TOOL_OBJS): $(B)/fake/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(fake)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
$(UPLOAD_TOOL): $(UPLOAD_TOOL_OBJS) $(UPLOAD_SHARED:%=$(B)/fake/%.o) $(B)/fake/machine.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(FAKE_CFLAGS) -pthread -Wl,--exclude-libs,machine.a -o $@ $^ $(UPLOAD_LIBS)

TOOLS += $(IMAGE_TOOL) $(UPLOAD_TOOL)
-include $(IMAGE_TOOL_OBJS:.o=.d) $(UPLOAD_TOOL_OBJS:.o=.d)
