/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is computed with secrets takes the same instructions for any of them: the image's own objects, one
 * instruction at a time (the trap flag), compared by a hash of all instruction pointers. That sees each
 * branch that the compilers of the day made; not what an instruction or an access to memory takes.
 * X25519 is two million instructions, 255 times the same: the first few times only, but with an argument (any)
 * all of them, which takes a minute.
 */
#include "tests/unit/test_crypto.h"

#include <signal.h>
#include <ucontext.h>

#include "crypto/hkdf.h"
#include "crypto/hmac.h"
#include "crypto/hpke.h"
#include "crypto/p256.h"
#include "crypto/x25519.h"

#define SECRETS 3u
#define TRAP_FLAG 0x100

static struct {
	uint8_t key[64], other[64], sectors[2][CRYPTO_SECTOR_BYTES], tags[2][16];
	struct crypto_xts xts;
	struct crypto_hmac hmac;
	struct crypto_hpke parties;
	struct crypto_hpke_key hpke;
	int err;
	bool equal;
} d;
static uint64_t trace, steps, steps_max = 40000;

static void on_step(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	trace = (trace ^ (uint64_t)r[REG_RIP]) * 0x9e3779b97f4a7c15;
	trace ^= trace >> 29;
	if (++steps == steps_max)
		r[REG_EFL] &= ~TRAP_FLAG;
}

/* Sets or clears the trap flag: EFLAGS.TF. */
static inline __attribute__((always_inline)) void stepping(uint64_t on)
{
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "andq $~0x100, (%%rsp)\n\t"
			 "orq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "leaq 128(%%rsp), %%rsp" ::"r"(on << 8)
			 : "cc", "memory");
}

static uint64_t trace_of(void (*fn)(void))
{
	trace = steps = 0;
	stepping(1);
	fn();
	stepping(0);
	return trace;
}

static void public_key(void)
{
	uint8_t out[32];

	crypto_x25519_public(out, d.key);
}

static void agree(void)
{
	uint8_t out[32];

	d.err = crypto_x25519(out, d.key, d.other);
}

static void derive(void)
{
	uint8_t out[64];

	crypto_hkdf(d.other, 32, d.key, 64, "time", out, sizeof(out));
}

static void schedule(void)
{
	crypto_hpke_schedule(&d.hpke, &d.parties, d.key, "time");
}

/* Others are refused, which shows. */
static void a_p256_key(void)
{
	d.key[0] &= 0x7f;
	d.key[31] |= 1;
}

static void sign_public(void)
{
	uint8_t out[64];

	a_p256_key();
	d.err = crypto_p256_public(out, d.key);
}

static void sign(void)
{
	uint8_t out[64];

	a_p256_key();
	crypto_p256_sign(out, d.key, d.other);
}

static void tag(void)
{
	crypto_hmac_init(&d.hmac, d.key, 32);
	crypto_hmac_sectors(&d.hmac, 7, d.sectors, 2, d.tags);
}

static void encrypt(void)
{
	d.err = crypto_xts_init(&d.xts, d.key);
	crypto_xts_encrypt(&d.xts, 7, d.sectors, d.sectors, 2);
	crypto_xts_decrypt(&d.xts, 7, d.sectors, d.sectors, 2);
}

static void compare(void)
{
	d.equal = crypto_equal(d.key, d.other, 64);
}

/* Random ones, all zeros, and all ones but for a bit, so that the halves of a key differ. */
static void make_secrets(unsigned int i)
{
	fill_random(&d, sizeof(d));
	if (i % SECRETS)
		memset(d.key, i % SECRETS == 1 ? 0 : 0xff, sizeof(d.key));
	if (i % SECRETS == 2)
		memset(d.other, 0xff, sizeof(d.other));
	d.key[63] ^= 1;
}

static void same_instructions(void **state)
{
	void (*const fn[])(void) = {public_key, agree,    derive,      tag, encrypt,
				    compare,    schedule, sign_public, sign};
	uint64_t first = 0, first_steps = 0, now;

	for (size_t i = 0; i < sizeof(fn) / sizeof(*fn); i++)
		for (unsigned int s = 0; s < SECRETS; s++) {
			make_secrets(s);
			now = trace_of(fn[i]);
			if (!s) {
				first = now;
				first_steps = steps;
			}
			if (now != first || steps != first_steps)
				fail_msg("function %zu took %lu instructions, not %lu", i, steps,
					 first_steps);
		}
}

/* A comparison that stops at the first difference is one that would be seen. */
static void naive(void)
{
	for (size_t i = 0; i < 64; i++)
		if (((volatile uint8_t *)d.key)[i] != d.other[i])
			return;
}

static void a_branch_would_be_seen(void **state)
{
	uint64_t equal;

	make_secrets(0);
	memcpy(d.other, d.key, sizeof(d.key));
	equal = trace_of(naive);
	assert_true(steps > 64);
	d.other[63] ^= 1;
	assert_true(trace_of(naive) != equal);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_instructions),
		cmocka_unit_test(a_branch_would_be_seen),
	};
	struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	if (argc > 1)
		steps_max = UINT64_MAX;
	pretend_cpu(0);
	if (sigaction(SIGTRAP, &step, NULL))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
