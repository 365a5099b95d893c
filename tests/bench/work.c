/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks run inside a guest, and the watch they are timed with. Static and without a C
 * library, so that it adds nothing of its own: a libc's start alone executes dozens of CPUIDs.
 *   work time CMD ARGS...  runs CMD (a full path) and prints the TSC ticks it took and its status
 *   work integer N         N rounds of a xorshift generator, in registers
 *   work fpu N             N rounds of SSE2 arithmetic on four vectors; their sum has to be right
 *   work both N            N rounds of FPU and CPUID in turn: its registers go out and come back each time
 *   work wakes N           integer N, while another process wakes up every 100 us: timer interrupts
 *   work cpuid N           N times CPUID, leaf 0
 *   work port PORT N       N times a byte out to PORT (root; PORT up to 65535)
 * Prints "TICKS STATUS"; for the loops STATUS is 0.
 */
#include <stdbool.h>
#include <stdint.h>

enum {
	SYS_WRITE = 1,
	SYS_NANOSLEEP = 35,
	SYS_FORK = 57,
	SYS_EXECVE = 59,
	SYS_EXIT = 60,
	SYS_WAIT4 = 61,
	SYS_KILL = 62,
	SYS_IOPL = 172
};

static long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static void print(uint64_t value, char end)
{
	char text[24];
	int at = sizeof(text);

	text[--at] = end;
	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	call(SYS_WRITE, 1, (long)(text + at), (long)sizeof(text) - at, 0);
}

static uint64_t number(const char *text)
{
	uint64_t value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

static void integer(uint64_t rounds)
{
	uint64_t x = 88172645463325252u;

	for (; rounds; rounds--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		__asm__ volatile("" : "+r"(x));
	}
}

static void cpuid(uint64_t rounds)
{
	for (; rounds; rounds--) {
		uint32_t a = 0, c = 0;

		__asm__ volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx");
	}
}

/* Each vector grows by its step in each round; a lost or foreign register makes another sum. */
static uint64_t fpu(uint64_t rounds, bool exits)
{
	typedef double v2 __attribute__((vector_size(16)));
	v2 a = {0, 0}, b = {0, 0}, c = {0, 0}, d = {0, 0};
	const v2 one = {1, 2}, two = {3, 4};
	double expected = 20 * (double)rounds, sum;

	for (uint64_t i = rounds; i; i--) {
		a += one;
		b += two;
		c += one;
		d += two;
		__asm__ volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d));
		if (exits)
			cpuid(1);
	}
	a += b + c + d;
	sum = a[0] + a[1];
	return sum < expected || sum > expected;
}

static void wakes(uint64_t rounds)
{
	static const long nap[2] = {0, 100000};
	long pid = call(SYS_FORK, 0, 0, 0, 0);

	if (pid == 0)
		for (;;)
			call(SYS_NANOSLEEP, (long)nap, 0, 0, 0);
	integer(rounds);
	if (pid > 0) {
		call(SYS_KILL, pid, 9, 0, 0);
		call(SYS_WAIT4, pid, 0, 0, 0);
	}
}

static void port(uint16_t to, uint64_t rounds)
{
	for (; rounds; rounds--)
		__asm__ volatile("outb %b0, %w1" : : "a"(0), "d"(to));
}

/* Runs argv[0] and waits; the wait status, or 255 << 8 when it cannot be run. */
static uint64_t run(char **argv, char **env)
{
	int status = 255 << 8;
	long pid = call(SYS_FORK, 0, 0, 0, 0);

	if (pid == 0) {
		call(SYS_EXECVE, (long)argv[0], (long)argv, (long)env, 0);
		call(SYS_EXIT, 255, 0, 0, 0);
	}
	if (pid > 0)
		call(SYS_WAIT4, pid, (long)&status, 0, 0);
	return (uint32_t)status;
}

/* argv[1]'s first letters differ. */
__attribute__((used)) static void start(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	char kind = argc > 2 ? argv[1][0] : 0;
	uint64_t status = 0, before;

	if (kind == 'p' && (argc < 4 || call(SYS_IOPL, 3, 0, 0, 0)))
		kind = 0;
	before = rdtsc();
	if (kind == 't')
		status = run(argv + 2, argv + argc + 1);
	else if (kind == 'i')
		integer(number(argv[2]));
	else if (kind == 'f' || kind == 'b')
		status = fpu(number(argv[2]), kind == 'b');
	else if (kind == 'w')
		wakes(number(argv[2]));
	else if (kind == 'c')
		cpuid(number(argv[2]));
	else if (kind == 'p')
		port((uint16_t)number(argv[2]), number(argv[3]));
	else
		status = 1;
	before = rdtsc() - before;
	print(before, ' ');
	print(status, '\n');
	call(SYS_EXIT, status != 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n\thlt\n");
