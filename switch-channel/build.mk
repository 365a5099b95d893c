# SPDX-License-Identifier: Apache-2.0
# libnetherchan: a program's end of a channel; and nether-port, which makes a TAP device of one: static, so that it runs in any
# dom0. GNU C: Xen's headers ask for it.
DEPS += libxen-dev
$(B)/deps.mk: switch-channel/build.mk

NETHERCHAN := $(B)/libnetherchan.a
NETHERCHAN_OBJS := $(patsubst %,$(B)/netherchan.o/%.o,$(wildcard switch-channel/lib/*.c switch-channel/lib/xen/*.c) monitor/ctl/ask.c)
NETHERCHAN_LIBS := -lxenforeignmemory -lxenstore -lxentoolcore -lxentoollog
PORT_OBJS := $(patsubst %,$(B)/netherchan.o/%.o,$(wildcard switch-channel/port/*.c))

$(NETHERCHAN_OBJS) $(PORT_OBJS): $(B)/netherchan.o/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -c -o $@ $<
$(NETHERCHAN): $(NETHERCHAN_OBJS)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(B)/nether-port: $(PORT_OBJS) $(NETHERCHAN)
	$(say) LD $@
	$(Q)$(CC) -static -o $@ $^ -Wl,--start-group $(NETHERCHAN_LIBS) -Wl,--end-group
ALL += $(NETHERCHAN) $(B)/nether-port
-include $(NETHERCHAN_OBJS:.o=.d) $(PORT_OBJS:.o=.d)
