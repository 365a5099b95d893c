/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack NAME VICTIM SEED [ACCOMPLICE]: one attack from dom0 on the paused domain VICTIM, which is
 * attack/guest.elf with this SEED. Prints two lines:
 *   attack NAME: succeeded|failed|untried (what it got, or why not)
 *   victim NAME: goes on|changed|stopped|silent
 * Status 2: there was nothing to try it on. attack --needs NAME prints "accomplice" or
 * nothing, what else is to be on the victim's command line, and "two" if it has two processors.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/attack/dom0/attacks.h"
#include "tests/attack/dom0/world.h"

/* What an attack needs: a second guest; to start the victim itself; a victim that does more, or has more. */
enum { ACCOMPLICE = 1, UNSTARTED = 2, HOLD = 4, HOLD_ALL = 8, EVENTS = 16, TWO = 32 };

static const struct {
	const char *name;
	void (*run)(struct world *w);
	int needs;
} attacks[] = {
#define X(name, function, needs) {name, function, needs},
	ATTACKS(X)
#undef X
};

static sigjmp_buf refused;

static void on_fault(int sig)
{
	siglongjmp(refused, sig);
}

static void run(struct world *w, size_t i)
{
	int sig;

	if (!(attacks[i].needs & UNSTARTED))
		world_start(w);
	sig = sigsetjmp(refused, 1);
	if (sig)
		untried(w, 0, "%s", strsignal(sig));
	else
		attacks[i].run(w);
	printf("attack %s: %s (%s)\n", attacks[i].name, w->verdict, w->text);
	(void)fflush(stdout);
	printf("victim %s: %s\n", attacks[i].name, life_name(world_watch(w, BEATS)));
}

static size_t find(const char *name)
{
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		if (!strcmp(attacks[i].name, name))
			return i;
	(void)fprintf(stderr, "attack: there is none named %s\n", name);
	exit(2);
}

static void print_needs(int needs)
{
	if (needs & ACCOMPLICE)
		puts("accomplice");
	if (needs & (HOLD | HOLD_ALL))
		puts(needs & HOLD ? "hold=1" : "hold=2");
	if (needs & EVENTS)
		puts("events=1");
	if (needs & TWO)
		puts("two");
}

int main(int argc, char **argv)
{
	static struct world w;

	if (argc == 3 && !strcmp(argv[1], "--needs")) {
		print_needs(attacks[find(argv[2])].needs);
		return 0;
	}
	if (argc < 4) {
		(void)fprintf(stderr, "usage: attack NAME VICTIM SEED [ACCOMPLICE]\n");
		return 2;
	}
	(void)signal(SIGBUS, on_fault);
	(void)signal(SIGSEGV, on_fault);
	world_open(&w, (uint32_t)strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 16),
		   argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0);
	run(&w, find(argv[1]));
	return 0;
}
