/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image's own objects of crypto/, run in a process with a foreigner's registers: random values in all
 * x87, SSE, AVX, AVX-512 and mask registers and in MXCSR, and an FS base where nothing is mapped. All of
 * them are the same afterwards. The objects are linked into one, with the monitor's memcpy() in it
 * (tests/unit/build.mk). RDMSR and WRMSR, which a process may not execute, are carried out by a signal
 * handler. This file is compiled without vector instructions and without the stack protector.
 */
#include "tests/unit/test_crypto.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "crypto/hkdf.h"
#include "crypto/hmac.h"
#include "crypto/hpke.h"
#include "crypto/p256.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "crypto/x25519.h"

#define PAGE 4096u
#define AREA_SIZE 4096u
#define LEGACY_SIZE 512u
#define FOREIGN_FS 0x10000u /* below mmap_min_addr */
#define COMPONENTS 0xe7u
#define MSR_FS_BASE 0xc0000100u

struct area {
	_Alignas(64) uint8_t b[AREA_SIZE];
};

void with_registers(void (*fn)(void), const struct area *pattern, struct area *after,
		    struct area *mine);

static struct area pattern, after, mine;
static uint64_t components;
static struct {
	uint8_t page[PAGE], other[PAGE], digest[32], random[64];
	struct crypto_key key;
	struct crypto_tag tag;
	struct crypto_nonce nonce;
	struct crypto_xts xts;
	struct crypto_hmac hmac;
	uint8_t xts_key[64], tags[PAGE / CRYPTO_SECTOR_BYTES][16], secret[32];
	struct crypto_hpke parties;
	struct crypto_hpke_key hpke;
	uint8_t scalar[32], signature[64], dh[64];
	int opened, refused, init, drawn, expanded, agreed, signed_by;
	uint64_t fs;
} d;

/* Offset and size of a component in the standard format (Intel SDM vol. 1, 13.4.3). */
static void component(unsigned int i, unsigned int *offset, unsigned int *size)
{
	unsigned int c, e;

	__cpuid_count(0xd, i, *size, *offset, c, e);
}

static void put(unsigned int at, uint64_t value, unsigned int n)
{
	memcpy(pattern.b + at, &value, n);
}

/* Legacy area: SDM vol. 1, table 13-1. */
static void make_pattern(void)
{
	unsigned int offset, size, lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	components = lo & COMPONENTS;
	memset(&pattern, 0, sizeof(pattern));
	put(0, 0x0e7f, 2);  /* FCW: rounding towards zero, all masked */
	put(2, 0x3a42, 2);  /* FSW: TOP 7, condition codes, a precision and a denormal exception */
	put(4, 0xff, 1);    /* all registers in use */
	put(24, 0x7fad, 4); /* MXCSR: rounding towards zero, flush to zero, flags, all masked */
	fill_random(pattern.b + 160, 256);
	for (unsigned int i = 0; i < 8; i++)
		fill_random(pattern.b + 32 + 16 * i, 10);
	for (unsigned int i = 2; i < 8; i++) {
		if (!(components >> i & 1))
			continue;
		component(i, &offset, &size);
		assert_true(offset >= LEGACY_SIZE && offset + size <= AREA_SIZE);
		fill_random(pattern.b + offset, size);
	}

	put(LEGACY_SIZE, components, 8);
}

static bool same_registers(void)
{
	unsigned int offset, size;

	if (memcmp(pattern.b, after.b, 8) || memcmp(pattern.b + 24, after.b + 24, 4) ||
	    memcmp(pattern.b + 32, after.b + 32, 384))
		return false;
	for (unsigned int i = 2; i < 8; i++) {
		if (!(components >> i & 1))
			continue;
		component(i, &offset, &size);
		if (memcmp(pattern.b + offset, after.b + offset, size))
			return false;
	}
	return true;
}

/* --- FS: no function of the C library while it is a foreigner's -------------------------------- */

static long arch_prctl(long what, uint64_t arg)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(SYS_arch_prctl), "D"(what), "S"(arg)
			 : "rcx", "r11", "memory");
	return ret;
}

static uint64_t fs_base(void)
{
	uint64_t base = 0;

	if (arch_prctl(ARCH_GET_FS, (uint64_t)&base))
		__builtin_trap();
	return base;
}

static unsigned int msr_accesses;

/* A #GP of RDMSR (0F 32) or WRMSR (0F 30) on the FS base; any other fault is a bug. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *insn = (const uint8_t *)r[REG_RIP];
	uint64_t base;

	if (insn[0] != 0x0f || (insn[1] | 2) != 0x32 || (uint32_t)r[REG_RCX] != MSR_FS_BASE)
		__builtin_trap();
	if (insn[1] == 0x32) {
		base = fs_base();
		r[REG_RAX] = (uint32_t)base;
		r[REG_RDX] = (greg_t)(base >> 32);
	} else if (arch_prctl(ARCH_SET_FS,
			      (uint32_t)r[REG_RAX] | (uint64_t)(uint32_t)r[REG_RDX] << 32)) {
		__builtin_trap();
	}
	r[REG_RIP] += 2;
	msr_accesses++;
}

/* --- what is run ------------------------------------------------------------------------------ */

/* Everything that the room offers. No function of the C library: FS is not this program's. */
static void exercise(void)
{
	struct crypto_sha256 hash;

	crypto_key_init(&d.key, d.digest);
	crypto_seal(&d.key, &d.nonce, d.other, 40, d.page, d.page, PAGE - 3, &d.tag);
	d.opened = crypto_open(&d.key, &d.nonce, d.other, 40, d.page, d.page, PAGE - 3, &d.tag);
	d.refused = crypto_open(&d.key, &d.nonce, d.other, 41, d.page, d.page, PAGE - 3, &d.tag);
	crypto_sha256_init(&hash);
	crypto_sha256_update(&hash, d.page, 77);
	crypto_sha256_update(&hash, d.page + 77, PAGE - 77);
	crypto_sha256_final(&hash, d.digest);
	d.drawn = crypto_random(d.random, sizeof(d.random));
	if (crypto_equal(d.random, d.random + 32, 32))
		d.drawn = 1;
	crypto_wipe(d.other, 16);
}

/* What disks and the release of keys need. */
static void exercise_keys(void)
{
	const size_t n = PAGE / CRYPTO_SECTOR_BYTES;

	d.expanded = crypto_xts_init(&d.xts, d.xts_key);
	crypto_xts_encrypt(&d.xts, 7, d.page, d.page, n);
	crypto_hmac_init(&d.hmac, d.other, 100);
	crypto_hmac_sectors(&d.hmac, 7, d.page, n, d.tags);
	crypto_xts_decrypt(&d.xts, 7, d.page, d.page, n);
	crypto_hmac(&d.hmac, d.tags, sizeof(d.tags), d.other, 77, d.digest);
	crypto_hkdf(d.digest, 32, d.tags, 16, "registers", d.random, sizeof(d.random));
}

/* Evidence and releases: both kinds of keys, opened wrongly (which is all but the last step). */
static void sign_and_open(void)
{
	d.scalar[0] = 0x11; /* below the order */
	d.signed_by = crypto_p256_public(d.signature, d.scalar);
	crypto_p256_sign(d.signature, d.scalar, d.digest);
	d.agreed = crypto_hpke_open(&d.parties, d.secret, "registers", d.other, 40, d.page, d.other,
				    200);
}

static void exchange(void)
{
	crypto_x25519_public(d.digest, d.random);
	d.agreed = crypto_x25519(d.secret, d.random, d.digest);
}

/* Self-test, seeding, and draws enough to reseed. */
static void start(void)
{
	const char *why;

	d.init = crypto_init(&why);
	for (unsigned int i = 0; i < 1100; i++)
		d.drawn |= crypto_random(d.random, sizeof(d.random));
}

static void hash_page(void)
{
	crypto_sha256(d.page, PAGE, d.digest);
}

/* Runs fn as the monitor would: in front of it, and after it, all is a foreigner's. */
static void run(void (*fn)(void))
{
	struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK},
			 cmockas;
	uint64_t fs = fs_base();

	make_pattern();
	memset(&after, 0, sizeof(after));
	msr_accesses = 0;
	assert_int_equal(sigaction(SIGSEGV, &ours, &cmockas), 0);
	if (arch_prctl(ARCH_SET_FS, FOREIGN_FS))
		__builtin_trap();
	with_registers(fn, &pattern, &after, &mine);
	d.fs = fs_base();
	if (arch_prctl(ARCH_SET_FS, fs))
		__builtin_trap();
	assert_int_equal(sigaction(SIGSEGV, &cmockas, NULL), 0);
}

static void assert_unchanged(unsigned int accesses)
{
	assert_true(same_registers());
	assert_int_equal(d.fs, FOREIGN_FS);
	assert_int_equal(msr_accesses, accesses);
}

static void registers_survive(void **state)
{
	uint8_t page[PAGE];

	run(start);
	assert_true(same_registers());
	assert_int_equal(d.fs, FOREIGN_FS);
	assert_int_equal(d.init | d.drawn, 0);
	for (unsigned int i = 0; i < 100; i++) {
		pretend_cpu(i % SSE_CPUS);
		fill_random(&d, sizeof(d));
		memcpy(page, d.page, PAGE);
		run(exercise);
		assert_unchanged(4); /* for the random bytes, not for the pages */
		assert_int_equal(d.opened | d.drawn, 0);
		assert_int_equal(d.refused, CRYPTO_ERR_TAG);
		assert_memory_equal(d.page, page, PAGE);
		run(exercise_keys);
		assert_unchanged(0);
		assert_int_equal(d.expanded, 0);
		assert_memory_equal(d.page, page, PAGE);
		run(exchange);
		assert_unchanged(8);
		assert_int_equal(d.agreed, 0);
		run(sign_and_open);
		assert_unchanged(16);
		assert_int_equal(d.signed_by, 0);
		assert_int_equal(d.agreed, CRYPTO_ERR_TAG);
	}
}

/* --- what stays on the stack ------------------------------------------------------------------ */

#define STACK_SIZE 8192u
#define OWN_FRAMES 600u /* of the room's outermost functions, which wipe by name */
#define UNTOUCHED 0xa5

void on_stack(void (*fn)(void), void *top);

static _Alignas(16) uint8_t stack[STACK_SIZE], handler_stack[65536];
static void (*on_it)(void);

static void run_on_stack(void)
{
	on_stack(on_it, stack + STACK_SIZE);
}

static void hmac_key(void)
{
	crypto_hmac_init(&d.hmac, d.other, 50);
}

static void authenticate(void)
{
	crypto_hmac_init(&d.hmac, d.other, 32);
	crypto_hmac(&d.hmac, d.xts_key, 40, d.xts_key, 20, d.digest);
}

static void derive(void)
{
	crypto_hkdf(d.digest, 32, d.xts_key, 64, "wiping", d.secret, sizeof(d.secret));
}

static void expand(void)
{
	d.expanded = crypto_xts_init(&d.xts, d.xts_key);
}

static void decrypt(void)
{
	expand();
	crypto_xts_decrypt(&d.xts, 1, d.page, d.page, 2);
}

static void draw(void)
{
	d.drawn = crypto_random(d.random, 32);
}

static void public_key(void)
{
	crypto_x25519_public(d.digest, d.random);
}

static void agree(void)
{
	d.agreed = crypto_x25519(d.secret, d.random, d.digest);
}

static void p256_public(void)
{
	d.scalar[0] = 0x11;
	d.signed_by = crypto_p256_public(d.signature, d.scalar);
}

static void p256_sign(void)
{
	d.scalar[0] = 0x11;
	crypto_p256_sign(d.signature, d.scalar, d.digest);
}

static void schedule(void)
{
	crypto_hpke_schedule(&d.hpke, &d.parties, d.dh, "wiping");
}

static void open_message(void)
{
	d.agreed =
		crypto_hpke_open(&d.parties, d.secret, "wiping", d.other, 40, d.page, d.other, 200);
}

/* Any eight bytes of a secret, as they are or as HMAC pads a key. */
static bool on_stack_still(const uint8_t *secret, size_t n)
{
	static const uint8_t pads[] = {0, 0x36, 0x5c};
	uint8_t part[8];

	for (size_t i = 0; i < sizeof(pads) * (n - 7); i++) {
		for (size_t j = 0; j < sizeof(part); j++)
			part[j] = secret[i / sizeof(pads) + j] ^ pads[i % sizeof(pads)];
		if (memmem(stack, sizeof(stack), part, sizeof(part)))
			return true;
	}
	return false;
}

static void assert_not_on_stack(void (*fn)(void), const uint8_t *secret, size_t n)
{
	fill_random(&d, sizeof(d));
	memset(stack, UNTOUCHED, sizeof(stack));
	on_it = fn;
	run(run_on_stack);
	assert_false(on_stack_still(secret, n));
}

static void assert_nothing_on_stack(void (*fn)(void), const uint8_t *secret, size_t n)
{
	assert_not_on_stack(fn, secret, n);
	for (size_t i = 0; i < STACK_SIZE - OWN_FRAMES; i++)
		if (stack[i] && stack[i] != UNTOUCHED)
			fail_msg("%zu bytes from the top is something left", STACK_SIZE - i);
}

/*
 * No eight bytes of a key, a scalar or a secret are left on the stack, and below the frames of the functions
 * that were called, where they may be in another form, nothing at all. HMAC's messages are no secrets.
 */
static void nothing_on_stack(void **state)
{
	stack_t alternative = {.ss_sp = handler_stack, .ss_size = sizeof(handler_stack)};

	assert_int_equal(sigaltstack(&alternative, NULL), 0);
	for (unsigned int cpu = 0; cpu < SSE_CPUS; cpu++) {
		pretend_cpu(cpu);
		assert_nothing_on_stack(hmac_key, d.other, 50);
		assert_not_on_stack(authenticate, d.digest, 32);
		assert_nothing_on_stack(derive, d.xts_key, 64);
		assert_nothing_on_stack(derive, d.secret, 32);
		assert_nothing_on_stack(expand, d.xts_key, 64);
		assert_nothing_on_stack(decrypt, d.xts_key, 64);
		assert_nothing_on_stack(decrypt, d.page, 1024);
		assert_nothing_on_stack(draw, d.random, 32);
		assert_nothing_on_stack(public_key, d.random, 32);
		assert_nothing_on_stack(agree, d.random, 32);
		assert_nothing_on_stack(agree, d.secret, 32);
		assert_nothing_on_stack(p256_public, d.scalar, 32);
		assert_nothing_on_stack(p256_sign, d.scalar, 32);
		assert_not_on_stack(schedule, d.dh, 64);
		assert_not_on_stack(schedule, d.hpke.key.state, 32);
		assert_not_on_stack(open_message, d.secret, 32);
	}
	pretend_cpu(0);
}

/* The comparison sees it if AVX code is chosen after all. */
static void avx_would_be_seen(void **state)
{
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2"))
		skip();
	OPENSSL_ia32cap_P[1] |= 1u << 28;
	OPENSSL_ia32cap_P[2] = 1u << 3 | 1u << 5 | 1u << 8;
	run(hash_page);
	pretend_cpu(0);
	assert_false(same_registers());
	run(hash_page);
	assert_true(same_registers());
}

static void one_xmm(void)
{
	__asm__ volatile("pcmpeqd %%xmm13, %%xmm13" ::: "memory");
}

static void one_flag(void)
{
	uint32_t mxcsr = 0x1f80;

	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}

static void one_x87(void)
{
	__asm__ volatile("fstp %st(0)");
}

static void any_change_would_be_seen(void **state)
{
	void (*const change[])(void) = {one_xmm, one_flag, one_x87};

	for (unsigned int i = 0; i < sizeof(change) / sizeof(*change); i++) {
		run(change[i]);
		assert_false(same_registers());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_survive),
		cmocka_unit_test(nothing_on_stack),
		cmocka_unit_test(avx_would_be_seen),
		cmocka_unit_test(any_change_would_be_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
