# SPDX-License-Identifier: Apache-2.0
# Each tests/unit/test_NAME.c becomes a cmocka program, build/unit/test_NAME, linked with the
# software machine: the monitor's vendor-neutral sources and monitor/fake, with sanitizers, in one
# archive that the fuzzers use too. A new test needs no line here, unless it needs a library.

# What needs the machine, or what monitor/fake or the C library stands in for. Other sources are
# linked only into tests that call them.
HW_ONLY := monitor/mem.c monitor/main.c monitor/cpu.c monitor/reset.c monitor/panic.c \
	monitor/console.c monitor/fpu.c monitor/lib.c ept/ept.c crypto/freestanding.c
# The parts of a backend that execute nothing.
HW_POLICY := $(addprefix monitor/svm/,check.c maps.c exits.c hidden.c) \
	$(addprefix monitor/vmx/,caps.c check.c exits.c fields.c hidden.c insn.c maps.c msrs.c \
		nested.c operand.c reflect.c region.c shadow.c space.c state.c)

FAKE_CC := clang
# -Wcast-align: clang warns on every cast from bytes; the sanitizer sees the real misalignments.
FAKE_CFLAGS = $(HOST_CFLAGS) -O1 -Wno-cast-align -fno-omit-frame-pointer \
	-fsanitize=address,undefined \
	-fno-sanitize-recover=all
FAKE_SRCS := $(filter-out $(HW_ONLY),$(wildcard attest/*.c attest/tenant/*.c crypto/*.[cS] crypto/hosted/*.c ept/*.c iodecrypt/*.c monitor/*.c \
	monitor/boot/*.c monitor/iommu/*.c)) \
	$(wildcard monitor/fake/*.c) monitor/keys/dev.c $(HW_POLICY)
FAKE_OBJS := $(FAKE_SRCS:%=$(B)/fake/%.o) $(B)/fake/monitor/boot/trampoline.S.o $(CRYPTO_THIRD)
FAKE_LIB := $(B)/fake/machine.a

# Tests of nested tables are linked a second time, with EPT as the format in place of NPT, which is
# the archive's: build/unit/test_NAME_ept. test_ept*.c are for EPT alone.
FAKE_EPT := $(B)/fake/ept/ept.c.o
FORMAT_EPT = -DFORMAT_EPT
EPT_ONLY := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_ept*.c))
EPT_TOO := $(patsubst %,$(B)/unit/test_%_ept,walk_nested walk_private host_table host_merge \
	channel channel_ended guest_table guest_table_share launch protect protect_pages disclose disclose_call disclose_control \
	guestmmio guestport \
	vcpu_info)

# The image's own objects of crypto/, with all that they call, as one in which only the room's names and
# what the test plays with are visible, so that the C library keeps its memcpy(). fs.S is apart, since
# other programs (tests/bench) need the hosted one.
CRYPTO_REGISTERS := $(B)/unit/test_crypto_registers
CRYPTO_IMAGE := $(B)/unit/crypto_image.o
CRYPTO_IMAGE_OBJS := $(patsubst %,$(B)/svm/%.o,$(filter-out crypto/fs.S,$(wildcard crypto/*.[cS])) \
	monitor/lib.c) $(CRYPTO_THIRD)
CRYPTO_VISIBLE := crypto_* features_* simd_* OPENSSL_ia32cap_P

CRYPTO_TIME := $(B)/unit/test_crypto_time

# netherd, but for what asks Xen; a test has its own in place of the functions that ask the monitor.
NETHERD_TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_netherd_*.c))
NETHERD_FAKE := $(patsubst %,$(B)/fake/%.o,$(addprefix attest/netherd/,disks.c files.c ioreq.c options.c process.c \
	receipt.c serve.c state.c tpm.c) iodecrypt/keys.c $(filter-out crypto/freestanding.c,$(wildcard crypto/*.[cS])))
NETHERD_LIB := $(B)/fake/netherd.a

# nether-attest's: the library is tests/attest/build.mk's.
ATTEST_TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_attest_*.c))

UNIT_TESTS := $(filter-out $(EPT_ONLY) $(CRYPTO_REGISTERS) $(CRYPTO_TIME) $(NETHERD_TESTS) $(ATTEST_TESTS),\
	$(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c)))
UNIT += $(UNIT_TESTS) $(EPT_ONLY) $(EPT_TOO) $(CRYPTO_REGISTERS) $(CRYPTO_TIME) $(NETHERD_TESTS) $(ATTEST_TESTS)
# For test_decode_random.
DEPS += libcapstone-dev
$(B)/deps.mk: tests/unit/build.mk

$(sort $(FAKE_SRCS:%=$(B)/fake/%.o) $(FAKE_EPT) $(NETHERD_FAKE)): $(B)/fake/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(fake)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

# The INT 15h handler that is copied to low memory; the rest of the file is at home in the image only.
$(B)/fake/monitor/boot/trampoline.S.o: monitor/boot/trampoline.S
	@mkdir -p $(@D)
	$(say) CC $< "(fake)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) -c -o $@ $<
	$(Q)objcopy --remove-relocations=.rodata --strip-unneeded $@

$(FAKE_LIB): $(FAKE_OBJS)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(UNIT_TESTS): $(B)/unit/%: tests/unit/%.c $(FAKE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -o $@ $< $(FAKE_LIB) -lcmocka $(UNIT_LIBS)

$(NETHERD_LIB): $(NETHERD_FAKE) $(CRYPTO_THIRD)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(NETHERD_TESTS): $(B)/unit/%: tests/unit/%.c $(NETHERD_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -o $@ $< $(NETHERD_LIB) -lcmocka $(UNIT_LIBS)
$(B)/unit/test_netherd_serve: UNIT_LIBS := -Wl,--wrap=pread,--wrap=pwrite

$(ATTEST_TESTS): $(B)/unit/%: tests/unit/%.c $(B)/fake/attest.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -Wl,--exclude-libs,attest.a -o $@ $< $(UNIT_LIBS) $(B)/fake/attest.a \
		-lcmocka $(ATTEST_LIBS)
# The monitor's side of it.
$(B)/unit/test_attest_release: UNIT_LIBS := $(B)/fake/attest/release.c.o
$(B)/unit/test_attest_release: $(B)/fake/attest/release.c.o

$(EPT_ONLY): $(B)/unit/%: tests/unit/%.c $(FAKE_EPT) $(FAKE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) $(FORMAT_EPT) -o $@ $< $(FAKE_EPT) $(FAKE_LIB) -lcmocka
$(EPT_TOO): $(B)/unit/%_ept: tests/unit/%.c $(FAKE_EPT) $(FAKE_LIB)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) $(FORMAT_EPT) -o $@ $< $(FAKE_EPT) $(FAKE_LIB) -lcmocka

# libnetherchan, but for what asks the monitor and Xen. Xen's headers are GNU C.
NETHERCHAN_FAKE := $(patsubst %,$(B)/fake/%.o,$(wildcard switch-channel/lib/*.c switch-channel/lib/xen/*.c))
$(NETHERCHAN_FAKE): $(B)/fake/%.o: %
	@mkdir -p $(@D)
	$(say) CC $< "(fake)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(FAKE_CFLAGS) -std=gnu11 -DHOST_CLAIMS='"$(abspath $(B))/unit/host-claims"' -c -o $@ $<
$(addprefix $(B)/unit/test_host_,channel claim): $(NETHERCHAN_FAKE)
$(addprefix $(B)/unit/test_host_,channel claim): UNIT_LIBS := $(NETHERCHAN_FAKE) -std=gnu11 -lxenstore
-include $(NETHERCHAN_FAKE:.o=.d)

$(B)/unit/test_decode_random: UNIT_LIBS := -lcapstone
# Against OpenSSL's shared library, which must not find the archive's objects instead of its own.
$(addprefix $(B)/unit/test_crypto_,hkdf hmac hpke p256 seal sha256 x25519 xts): UNIT_LIBS := -Wl,--exclude-libs,ALL -lcrypto
# These say whether there is a TPM that all was measured into.
$(B)/unit/test_release_take: UNIT_LIBS := -Wl,--wrap=measure_done
$(B)/unit/test_report: UNIT_LIBS := -Wl,--wrap=measure_done,--exclude-libs,ALL -lcrypto
CRYPTO_FAULTS := sha256_block_data_order aesni_encrypt aesni_set_encrypt_key \
	aesni_set_decrypt_key aesni_xts_encrypt aesni_xts_decrypt aesni_ctr32_encrypt_blocks \
	gcm_init_clmul gcm_ghash_clmul gcm_init_avx gcm_ghash_avx CRYPTO_gcm128_setiv \
	CRYPTO_gcm128_tag CRYPTO_gcm128_finish br_hmac_drbg_init br_hmac_drbg_generate \
	crypto_xts_init crypto_hmac_init crypto_hmac_sectors crypto_hkdf br_ccopy crypto_x25519 \
	crypto_x25519_public br_i31_montymul crypto_p256_public crypto_p256_sign crypto_hpke_open features_read random_start
$(B)/unit/test_crypto_init: UNIT_LIBS := $(CRYPTO_FAULTS:%=-Wl,--wrap=%)

$(CRYPTO_IMAGE): $(CRYPTO_IMAGE_OBJS)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)ld -r -o $@ $^
	$(Q)objcopy --wildcard $(CRYPTO_VISIBLE:%='--keep-global-symbol=%') $@
$(CRYPTO_REGISTERS): tests/unit/test_crypto_registers.c tests/unit/crypto_registers.S $(CRYPTO_IMAGE) \
		$(B)/svm/crypto/fs.S.o
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -mgeneral-regs-only -fno-stack-protector -no-pie -o $@ \
		$(filter-out %.h,$^) -lcmocka
# Outside the monitor: without RDMSR and WRMSR.
$(CRYPTO_TIME): tests/unit/test_crypto_time.c $(CRYPTO_IMAGE) $(B)/fake/crypto/fs.S.o
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -no-pie -o $@ $(filter-out %.h,$^) -lcmocka

-include $(CRYPTO_REGISTERS).d $(CRYPTO_TIME).d
-include $(FAKE_OBJS:.o=.d) $(NETHERD_FAKE:.o=.d) $(NETHERD_TESTS:=.d) $(ATTEST_TESTS:=.d) $(FAKE_EPT:.o=.d) $(UNIT_TESTS:=.d) $(EPT_ONLY:=.d) $(EPT_TOO:=.d)

# build/bench/take, a benchmark: over the same machine without sanitizers.
TAKE_OBJS := $(FAKE_SRCS:%=$(B)/bench/machine/%.o)
TOOLS += $(B)/bench/take
bench: $(B)/bench/take
$(TAKE_OBJS): $(B)/bench/machine/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(fake, for the benchmark)"
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(HOST_CFLAGS) -Wno-cast-align -c -o $@ $<
$(B)/bench/machine.a: $(TAKE_OBJS) $(B)/fake/monitor/boot/trampoline.S.o $(CRYPTO_THIRD)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(B)/bench/take: tests/bench/take.c $(B)/bench/machine.a
	$(say) LD $@
	$(Q)$(FAKE_CC) $(CPPFLAGS) $(HOST_CFLAGS) -Wno-cast-align -o $@ $< $(B)/bench/machine.a -lcmocka -Wl,--wrap=measure_done
-include $(TAKE_OBJS:.o=.d) $(B)/bench/take.d
