# SPDX-License-Identifier: Apache-2.0
# The compiler that runs in the benchmarks' guest.
DEPS += tcc

# build/bench/crypto (by hand), and build/bench/sectors by tests/bench/sectors, which also runs openssl:
# numbers of this machine, not tests. CRYPTO_IMAGE: tests/unit/build.mk
DEPS += openssl
TOOLS += $(B)/bench/crypto $(B)/bench/sectors
$(B)/bench/crypto $(B)/bench/sectors: $(B)/bench/%: tests/bench/%.c $(B)/unit/crypto_image.o $(B)/fake/crypto/fs.S.o
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -no-pie -o $@ $(filter-out %.h,$^) -lcrypto -lpthread
-include $(B)/bench/crypto.d $(B)/bench/sectors.d

# build/bench/tree: the disk's engine over an agent that counts. TOOL_OBJS: iodecrypt/build.mk
TOOLS += $(B)/bench/tree
bench: $(B)/bench/sectors $(B)/bench/tree
$(B)/bench/tree: tests/bench/tree.c tests/bench/random.h $(filter-out $(B)/host/iodecrypt/tool/%,$(TOOL_OBJS)) $(CRYPTO_THIRD)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -o $@ $(filter-out %.h,$^)
-include $(B)/bench/tree.d

# What counts instructions in QEMU, and what the guest with a disk runs; the guest's other programs are Debian's.
DEPS += fio e2fsprogs
TOOLS += $(B)/bench/count.so $(B)/bench/disk
bench: $(B)/bench/count.so $(B)/bench/disk
$(B)/bench/count.so: BENCH_FLAGS := -shared -fPIC -fvisibility=hidden
$(B)/bench/disk: BENCH_FLAGS := -static
$(B)/bench/count.so: tests/bench/count.c
$(B)/bench/disk: tests/bench/disk.c tests/bench/random.h
$(B)/bench/count.so $(B)/bench/disk:
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) $(BENCH_FLAGS) -o $@ $<

# build/bench/l1-svm.elf: what isolation costs an L1, with the guests of tests/attack/l1.
BENCH_L1 := $(B)/bench/l1-svm.elf
TOOLS += $(BENCH_L1)
bench: $(BENCH_L1)
$(B)/bench/l1-svm/%.c.o: tests/bench/l1/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(L1_FLAGS) -fno-jump-tables -fno-tree-loop-distribute-patterns -I$(L1_DIR)/svm -c -o $@ $<
$(BENCH_L1): $(B)/bench/l1-svm/faults.c.o $(patsubst %,$(B)/attack/l1-svm/%.c.o,svm svm_exits exits events victim victim_exits world) \
	$(B)/l1/obj-svm/lib.a tests/attack/l1/link.ld
	$(say) LD $@
	$(Q)$(LD) -nostdlib -static -z max-page-size=4096 --no-warn-rwx-segments -T tests/attack/l1/link.ld \
		-o $@.64 $(filter %.o %.a,$^)
	$(Q)objcopy -O elf32-i386 $@.64 $@
-include $(B)/bench/l1-svm/faults.c.d

# What tests/bench/attest.py takes: attest's functions over the image's objects; netherd-api as it is, but for the monitor,
# which is tests/api's.
DEPS += nginx-light curl swtpm swtpm-tools
TOOLS += $(B)/bench/release $(B)/bench/netherd-api
bench: $(B)/bench/release $(B)/bench/netherd-api
$(B)/bench/release: tests/bench/release.c $(B)/svm/attest/release.c.o $(B)/svm/attest/evidence.c.o \
	$(B)/host/attest/tool/hpke_seal.c.o $(B)/unit/crypto_image.o $(B)/fake/crypto/fs.S.o
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -no-pie -o $@ $(filter-out %.h,$^) -lcrypto
$(B)/bench/monitor.o: tests/api/monitor.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) $(API_FLAGS) -c -o $@ $<
$(B)/bench/netherd-api: $(filter-out %/ask.c.o,$(API_OBJS)) $(B)/bench/monitor.o
	$(say) LD $@
	$(Q)$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(API_LIBS)
-include $(B)/bench/release.d $(B)/bench/monitor.d

# tests/bench/channel/run, natively: the ring, and DPDK's rte_ring and memif. DPDK's headers ask for GNU C and SSSE3.
DEPS += libdpdk-dev gnuplot-nox pkg-config
BENCH_CHANNEL := $(B)/bench/channel $(B)/bench/channel-dpdk
TOOLS += $(BENCH_CHANNEL)
bench: $(BENCH_CHANNEL)
$(B)/bench/channel: tests/bench/channel/main.c tests/bench/channel/ours.c
$(B)/bench/channel-dpdk: tests/bench/channel/main.c tests/bench/channel/dpdk.c
$(B)/bench/channel-dpdk: CHANNEL_DPDK = -std=gnu11 $(shell pkg-config --cflags libdpdk)
$(B)/bench/channel-dpdk: CHANNEL_LIBS := -lrte_eal -lrte_ring -lrte_mempool -lrte_mbuf -lrte_ethdev -lrte_bus_vdev -lrte_net_memif
$(BENCH_CHANNEL):
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) $(CHANNEL_DPDK) -pthread -o $@ $(filter %.c,$^) $(CHANNEL_LIBS)
# What the guests with a network run.
TOOLS += $(B)/bench/net
bench: $(B)/bench/net
$(B)/bench/net: tests/bench/net.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -static -o $@ $<
# What tests/bench/channel_lab.py's machine runs, beside tests/module's pretended monitor.
TOOLS += $(B)/bench/sweep
bench: $(B)/bench/sweep
$(B)/bench/sweep: tests/bench/channel/sweep.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -static -o $@ $<
