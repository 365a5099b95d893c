# SPDX-License-Identifier: Apache-2.0
# libnetherchan: a program's end of a channel; and nether-port, which makes a TAP device of one.
NETHERCHAN := $(B)/libnetherchan.a
NETHERCHAN_OBJS := $(patsubst %,$(B)/host/%.o,$(wildcard switch-channel/lib/*.c))
PORT_OBJS := $(patsubst %,$(B)/host/%.o,$(wildcard switch-channel/port/*.c))

$(NETHERCHAN_OBJS) $(PORT_OBJS): $(B)/host/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<
$(NETHERCHAN): $(NETHERCHAN_OBJS)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(B)/nether-port: $(PORT_OBJS) $(NETHERCHAN)
	$(say) LD $@
	$(Q)$(CC) -Wl,-z,relro,-z,now -o $@ $^
ALL += $(NETHERCHAN) $(B)/nether-port
-include $(NETHERCHAN_OBJS:.o=.d) $(PORT_OBJS:.o=.d)
