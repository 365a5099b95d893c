# SPDX-License-Identifier: Apache-2.0
# nether-vif over a pretended monitor, and what its machine runs. tests/module/loop has them made.
FAKES := tests/module/fake_monitor.c tests/module/fake_bell.c

.PHONY: module-tests module-strict
module-strict: $(VIF)/strict.ko $(VIF)/nether-vif.ko $(VIF_DKMS).tar.gz
module-tests: $(VIF)/nether-vif.ko $(VIF)/fake.ko $(B)/module/traffic $(B)/module/endpoint

$(VIF)/fake.ko: $(VIF_SOURCES) $(FAKES) switch-channel/linux/build.mk
	$(call vif-build,$(VIF)/fake,$(FAKES),NV_MONITOR="fake_monitor.o fake_bell.o" KCFLAGS=-Werror)

$(B)/module/traffic $(B)/module/endpoint: $(B)/module/%: tests/module/%.c $(wildcard switch-channel/*.h) \
		switch-channel/linux/nether_channel.h
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) -I. $(HOST_CFLAGS) -static -o $@ $<

TOOLS += module-tests module-strict
