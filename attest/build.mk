# SPDX-License-Identifier: Apache-2.0
# netherd, dom0's agent: static, as netherctl is. GNU C: Xen's headers ask for it. Of crypto/ it has the
# derivation of keys, as the image does.
DEPS += libxen-dev
$(B)/deps.mk: attest/build.mk

NETHERD_LIBS := -lxendevicemodel -lxenevtchn -lxenforeignmemory -lxencall -lxenstore -lxentoolcore \
	-lxentoollog
NETHERD_SRCS := $(wildcard attest/netherd/*.c) monitor/ctl/ask.c monitor/ctl/domain.c iodecrypt/keys.c \
	$(filter-out crypto/freestanding.c,$(wildcard crypto/*.[cS]))
NETHERD_OBJS := $(NETHERD_SRCS:%=$(B)/netherd.o/%.o)

$(NETHERD_OBJS): $(B)/netherd.o/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(netherd)"
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -std=gnu11 -c -o $@ $<
$(B)/netherd: $(NETHERD_OBJS) $(CRYPTO_THIRD)
	$(say) LD $@
	$(Q)$(CC) -static -o $@ $^ -Wl,--start-group $(NETHERD_LIBS) -Wl,--end-group
ALL += $(B)/netherd
-include $(NETHERD_OBJS:.o=.d)

# netherd-api, the agent that tenants talk to. GNU C for ESYS's headers; dynamic, since TPMs' drivers are loaded at run time.
DEPS += libmicrohttpd-dev libtss2-dev libcjson-dev libssl-dev
API_LIBS := -lmicrohttpd -ltss2-esys -ltss2-mu -ltss2-tctildr -lcjson -lcrypto -lpthread
API_SRCS := $(wildcard attest/api/*.c) attest/netherd/process.c monitor/ctl/ask.c
API_OBJS := $(API_SRCS:%=$(B)/netherd-api.o/%.o)
API_FLAGS := -std=gnu11 -DPROCESS_NAME='"netherd-api"' -fstack-protector-strong -fPIE

$(API_OBJS): $(B)/netherd-api.o/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $< "(netherd-api)"
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) $(API_FLAGS) -D_FORTIFY_SOURCE=2 -c -o $@ $<
$(B)/netherd-api: $(API_OBJS)
	$(say) LD $@
	$(Q)$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(API_LIBS)
ALL += $(B)/netherd-api
-include $(API_OBJS:.o=.d)
# nether-attest: the tenant's tool. Shared libraries, which must not find crypto/'s objects instead of their own.
DEPS += libcurl4-openssl-dev libcjson-dev libyaml-dev libtss2-dev
ATTEST_LIBS := -lcurl -lcjson -lyaml -ltss2-mu -lcrypto
ATTEST_SHARED := $(addprefix iodecrypt/tool/,file.c keyfile.c output.c receipt.c upload/http.c) iodecrypt/keys.c
ATTEST_SRCS := $(wildcard attest/tool/*.c)
ATTEST_OBJS := $(ATTEST_SRCS:%=$(B)/host/%.o)
ATTEST_LIB := $(B)/host/attest.a

$(ATTEST_OBJS): $(B)/host/%.o: % | $(B)/version.h
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(HOST_CFLAGS) -c -o $@ $<
$(ATTEST_LIB): $(patsubst %,$(B)/host/%.o,$(ATTEST_SHARED) \
		$(filter-out crypto/freestanding.c,$(wildcard crypto/*.[cS]))) $(CRYPTO_THIRD)
	@rm -f $@
	$(Q)ar rcs $@ $^
$(B)/nether-attest: $(ATTEST_OBJS) $(ATTEST_LIB)
	$(say) LD $@
	$(Q)$(CC) -pthread -Wl,-z,relro,-z,now -Wl,--exclude-libs,attest.a -o $@ $(ATTEST_OBJS) $(ATTEST_LIB) $(ATTEST_LIBS)
ALL += $(B)/nether-attest
-include $(ATTEST_OBJS:.o=.d)
