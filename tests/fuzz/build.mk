# SPDX-License-Identifier: Apache-2.0
# Each tests/fuzz/fuzz_NAME.c becomes a libFuzzer program, build/fuzz/fuzz_NAME, linked with the
# software machine of tests/unit/build.mk. Its seeds are in tests/fuzz/corpus/NAME:
#   build/fuzz/fuzz_NAME -runs=N tests/fuzz/corpus/NAME
# fuzz_NAME_ept is fuzz_NAME with EPT as the nested format.

FUZZ_NETHERD := $(B)/fuzz/fuzz_netherd
FUZZ_API := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_api_*.c))
FUZZ_ATTEST := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_attest_*.c))
FUZZ_TARGETS := $(filter-out $(FUZZ_NETHERD) $(FUZZ_API) $(FUZZ_ATTEST),\
	$(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_EPT := $(patsubst %,$(B)/fuzz/fuzz_%_ept,walk launch guest_store channel)
FUZZ += $(FUZZ_TARGETS) $(FUZZ_EPT) $(FUZZ_NETHERD) $(FUZZ_API) $(FUZZ_ATTEST)

$(FUZZ_TARGETS): $(B)/fuzz/%: tests/fuzz/%.c $(B)/fake/machine.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -fsanitize=fuzzer -o $@ $< $(FAKE_LIB)

$(FUZZ_EPT): $(B)/fuzz/%_ept: tests/fuzz/%.c $(FAKE_EPT) $(B)/fake/machine.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) $(FORMAT_EPT) -fsanitize=fuzzer -o $@ $< $(FAKE_EPT) \
		$(FAKE_LIB)

$(FUZZ_NETHERD): tests/fuzz/fuzz_netherd.c $(B)/fake/netherd.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -fsanitize=fuzzer -o $@ $(filter-out %.h,$^)

$(FUZZ_API): $(B)/fuzz/%: tests/fuzz/%.c $(B)/api/api.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -std=gnu11 -fsanitize=fuzzer -o $@ $< $(B)/api/api.a $(API_LIBS)

$(FUZZ_ATTEST): $(B)/fuzz/%: tests/fuzz/%.c $(B)/fake/attest.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -fsanitize=fuzzer -Wl,--exclude-libs,attest.a -o $@ $< \
		$(B)/fake/attest.a $(ATTEST_LIBS)

-include $(FUZZ_API:=.d) $(FUZZ_ATTEST:=.d) $(FUZZ_NETHERD).d $(FUZZ_TARGETS:=.d) $(FUZZ_EPT:=.d)
