# SPDX-License-Identifier: Apache-2.0
# The objects that are taken out of OpenSSL's and BearSSL's static libraries as Debian builds them, each
# by its name, so that nothing else comes along: CRYPTO_THIRD, for the images and for hosted programs.
#   OpenSSL (Apache-2.0): AES-NI (and XTS by it), GHASH with PCLMULQDQ, the GCM mode, SHA-256, wiping and
#     comparing
#   BearSSL (MIT): HMAC_DRBG with its HMAC and SHA-256, X25519, ECDSA on P-256 with its integers
DEPS += libssl-dev libbearssl-dev
$(B)/deps.mk: crypto/build.mk

CRYPTO_OPENSSL := aesni-x86_64 ghash-x86_64 gcm128 sha256 sha256-x86_64 x86_64cpuid
CRYPTO_BEARSSL := hmac_drbg hmac sha2small enc32be dec32be ec_c25519_m31 ccopy \
	ec_p256_m31 ec_secp256r1 ec_secp384r1 ec_secp521r1 ecdsa_i31_bits ecdsa_i31_sign_raw i32_div32 \
	$(addprefix i31_,add bitlen decmod decode encode fmont iszero modpow montmul muladd ninv31 rshift sub tmont)
LIBCRYPTO := $(shell $(CC) -print-file-name=libcrypto.a)
LIBBEARSSL := $(shell $(CC) -print-file-name=libbearssl.a)

CRYPTO_THIRD := $(CRYPTO_OPENSSL:%=$(B)/third/openssl/%.o) $(CRYPTO_BEARSSL:%=$(B)/third/bearssl/%.o)

# x86_64cpuid.o has a constructor that asks CPUID: crypto/features.c does that.
$(B)/third/openssl/%.o: $(LIBCRYPTO)
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)ar p $< libcrypto-lib-$*.o >$@
	$(Q)objcopy --remove-section=.init --remove-section=.rela.init \
		--strip-symbol=OPENSSL_cpuid_setup $@
$(B)/third/bearssl/%.o: $(LIBBEARSSL)
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)ar p $< $*.o >$@
