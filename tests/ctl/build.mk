# SPDX-License-Identifier: Apache-2.0
# netherctl over a pretended monitor and a pretended Xen: fake_ask.c in place of monitor/ctl/ask.c, and
# fake_privcmd.c in place of the kernel's device.
CTL_FAKE := $(B)/ctl/fake_ask.c.o $(B)/ctl/fake_privcmd.c.o
CTL_WRAPPED := open close mmap munmap ioctl

$(CTL_FAKE): $(B)/ctl/%.c.o: tests/ctl/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<

$(B)/ctl/netherctl: $(filter-out $(B)/host/monitor/ctl/ask.c.o,$(CTL_OBJS)) $(CTL_FAKE)
	$(say) LD $@
	$(Q)$(CC) $(CTL_WRAPPED:%=-Wl,--wrap=%) -o $@ $^

TOOLS += $(B)/ctl/netherctl
-include $(CTL_FAKE:.o=.d)

# netherd over another pretended monitor, for a Xen that has none below.
$(B)/ctl/fake_disks.c.o: tests/ctl/fake_disks.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<
$(B)/ctl/netherd: $(filter-out $(B)/netherd.o/monitor/ctl/ask.c.o,$(NETHERD_OBJS)) $(B)/ctl/fake_disks.c.o \
		$(CRYPTO_THIRD)
	$(say) LD $@
	$(Q)$(CC) -static -o $@ $^ -Wl,--start-group $(NETHERD_LIBS) -Wl,--end-group

TOOLS += $(B)/ctl/netherd
-include $(B)/ctl/fake_disks.c.d
