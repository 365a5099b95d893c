# SPDX-License-Identifier: Apache-2.0
# nether-attest with address and undefined-behaviour sanitizers, for tests/attest; and without main() as a library, for
# unit tests and fuzzers.
DEPS += openssl tpm2-tools
$(B)/deps.mk: tests/attest/build.mk

ATTEST_FAKE := $(patsubst %,$(B)/fake/%.o,$(filter-out attest/tool/main.c,$(ATTEST_SRCS)))
ATTEST_FAKE_SHARED := $(patsubst %,$(B)/fake/%.o,$(ATTEST_SHARED) \
	$(filter-out crypto/freestanding.c,$(wildcard crypto/*.[cS])))
ATTEST_FAKE_LIB := $(B)/fake/attest.a

$(ATTEST_FAKE) $(B)/fake/attest/tool/main.c.o: $(B)/fake/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(fake)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
$(ATTEST_FAKE_LIB): $(ATTEST_FAKE) $(ATTEST_FAKE_SHARED) $(CRYPTO_THIRD)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(B)/attest/nether-attest: $(B)/fake/attest/tool/main.c.o $(ATTEST_FAKE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(FAKE_CFLAGS) -pthread -Wl,--exclude-libs,attest.a -o $@ $^ $(ATTEST_LIBS)

TOOLS += $(B)/attest/nether-attest
-include $(ATTEST_FAKE:.o=.d) $(B)/fake/attest/tool/main.c.d
