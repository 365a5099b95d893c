# SPDX-License-Identifier: Apache-2.0
# netherctl over a pretended monitor: fake_ask.c in place of monitor/ctl/ask.c.

$(B)/ctl/fake_ask.c.o: tests/ctl/fake_ask.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<

$(B)/ctl/netherctl: $(B)/host/monitor/ctl/netherctl.c.o $(B)/ctl/fake_ask.c.o
	$(say) LD $@
	$(Q)$(CC) -o $@ $^

TOOLS += $(B)/ctl/netherctl
-include $(B)/ctl/fake_ask.c.d
