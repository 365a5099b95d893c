# SPDX-License-Identifier: GPL-2.0
# The module nether-vif, which the kernel's own build makes: in copies of its sources below $(B), so that nothing is left in
# the tree. Not a part of a plain `make`: KERNEL has the headers, of the running kernel or else the newest there are.

KERNEL ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(lastword $(shell ls -dv /lib/modules/*/build 2>/dev/null | grep -v cloud)))
VIF := $(B)/linux/$(notdir $(patsubst %/build,%,$(KERNEL)))
VIF_SOURCES := $(wildcard switch-channel/*.h switch-channel/linux/*.[ch]) switch-channel/linux/Kbuild
VIF_DKMS := $(B)/nether-vif-$(VERSION)

# vif-build FOLDER MORE-SOURCES OPTIONS: the module of these sources, in the folder
define vif-build
	@test -n "$(KERNEL)" || { echo "no kernel headers: install linux-headers-amd64" >&2; exit 1; }
	@rm -rf $(1) && mkdir -p $(1)
	@cp --parents $(VIF_SOURCES) $(1) && $(if $(2),cp $(2) $(1)/switch-channel/linux,:)
	$(say) KBUILD $@
	$(Q)+env -u MAKEFLAGS -u MFLAGS $(MAKE) -s -j$(shell nproc) -C $(KERNEL) M=$(abspath $(1))/switch-channel/linux \
		$(3) modules >$(1)/log 2>&1 || { cat $(1)/log; exit 1; }
	@cp $(1)/switch-channel/linux/nether-vif.ko $@
endef

.PHONY: nether-vif dkms install-dkms
nether-vif: $(VIF)/nether-vif.ko

$(VIF)/nether-vif.ko: $(VIF_SOURCES) switch-channel/linux/build.mk
	$(call vif-build,$(VIF)/release,,)

# The same with all that compilers can complain of.
$(VIF)/strict.ko: $(VIF_SOURCES) switch-channel/linux/build.mk
	$(call vif-build,$(VIF)/strict,,W=1 C=2 CF="-D__CHECK_ENDIAN__ -Wsparse-error" KCFLAGS=-Werror)

# For dkms: sources only, in the folder that is to be /usr/src/nether-vif-VERSION.
dkms: $(VIF_DKMS).tar.gz

$(VIF_DKMS).tar.gz: $(VIF_SOURCES) switch-channel/linux/dkms.conf switch-channel/linux/build.mk Makefile
	@rm -rf $(VIF_DKMS) && mkdir -p $(VIF_DKMS)
	@cp --parents $(VIF_SOURCES) $(VIF_DKMS)
	@sed 's/@VERSION@/$(VERSION)/' switch-channel/linux/dkms.conf >$(VIF_DKMS)/dkms.conf
	$(say) TAR $@
	$(Q)tar -C $(B) --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - nether-vif-$(VERSION) | gzip -n >$@

install-dkms: dkms
	install -d $(DESTDIR)/usr/src
	rm -rf $(DESTDIR)/usr/src/nether-vif-$(VERSION)
	cp -r $(VIF_DKMS) $(DESTDIR)/usr/src
	@echo 'Now run dkms install nether-vif/$(VERSION); docs/nether-vif.md has the rest.'
