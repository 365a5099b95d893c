/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is used of OpenSSL's libcrypto.a: its objects, pulled out one by one (crypto/build.mk), and its
 * own headers where they declare it. Only crypto/ includes this.
 */
#ifndef CRYPTO_OPENSSL_H
#define CRYPTO_OPENSSL_H

#define OPENSSL_SUPPRESS_DEPRECATED /* the low-level interface is the only one without a C library */
#include <openssl/aes.h>
#include <openssl/crypto.h>
#include <openssl/modes.h>
#include <openssl/sha.h>
#include <stdint.h>

/*
 * GCM128_CONTEXT, which OpenSSL allocates itself (440 bytes in 3.0) and declares nowhere;
 * tests/unit/test_crypto_seal.c checks the size.
 */
struct gcm {
	_Alignas(16) uint64_t state[56];
};

static inline GCM128_CONTEXT *gcm_context(struct gcm *gcm)
{
	return (GCM128_CONTEXT *)(void *)gcm;
}

/* aesni-x86_64.o: bits of the key: 128, 192, 256; blocks of 16 bytes; only ivec's last 32 bits count. */
int aesni_set_encrypt_key(const unsigned char *user_key, int bits, AES_KEY *key);
void aesni_encrypt(const unsigned char *in, unsigned char *out, const AES_KEY *key);
void aesni_ctr32_encrypt_blocks(const unsigned char *in, unsigned char *out, size_t blocks,
				const void *key, const unsigned char *ivec);

int aesni_set_decrypt_key(const unsigned char *user_key, int bits, AES_KEY *key);
/* One data unit of len bytes, a multiple of 16 here; iv is its number, which key2 makes a tweak of. */
void aesni_xts_encrypt(const unsigned char *in, unsigned char *out, size_t len, const AES_KEY *key1,
		       const AES_KEY *key2, const unsigned char iv[16]);
void aesni_xts_decrypt(const unsigned char *in, unsigned char *out, size_t len, const AES_KEY *key1,
		       const AES_KEY *key2, const unsigned char iv[16]);

/* sha256-x86_64.o: the compression function, over blocks of 64 bytes anywhere. */
void sha256_block_data_order(uint32_t state[8], const void *in, size_t blocks);

/* What the objects look at to choose their code: CPUID 1 EDX, 1 ECX, 7 EBX, 7 ECX. */
extern uint32_t OPENSSL_ia32cap_P[4] __attribute__((visibility("hidden")));

/* x86_64cpuid.o: fills cap[2] and cap[3] and returns cap[0] and cap[1]; no AVX without the system's help. */
uint64_t OPENSSL_ia32_cpuid(uint32_t cap[4]);

#endif
