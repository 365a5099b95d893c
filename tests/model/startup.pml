/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a guest's APs a vCPU record stands for (R19). The guest names an AP by its APIC id, L1 a vCPU by
 * its control structure, and nothing that L1 enters it with says which is which. So the monitor ties the
 * first control structure to come to the AP that has been started, for ever; and it holds a SIPI back,
 * which the guest then repeats, while another AP that is not tied yet has still to come.
 *
 * Two APs, two control structures. HONEST: L1 enters the one that it has for the AP, when that is up.
 * A step is done under the guest's lock. entry.pml has what a start does to a record.
 */
#define NONE 2
#define OTHER(n) (1 - (n))

byte tied[2] = NONE; /* of a control structure: its AP */
bool waits[2] = true; /* of an AP: a SIPI starts it */
bool start[2];	      /* ... it is to start at its next entry */
bool ran[2];	      /* of a control structure: has been entered */
#ifdef HONEST
bool up[2], fresh[2];
#endif

/* Never true: Spin prints the name of the one that is asserted. */
bool I6_start, honest_refused, honest_out_of_step;

#define TIED(ap) (tied[0] == (ap) || tied[1] == (ap))
#define TO_COME(ap) (start[ap] && !TIED(ap))
#ifdef BUG_START_ANY
#define HELD(ap) false
#else
#define HELD(ap) (TO_COME(OTHER(ap)) && !TIED(ap))
#endif
#ifdef BUG_TWO_RECORDS
#define TAKES(ap) (start[ap])
#else
#define TAKES(ap) TO_COME(ap)
#endif

/* The BSP's IPIs to an AP, which exit. */
inline init_ipi(ap)
{
	printf("CPU: INIT to AP %d\n", ap);
	waits[ap] = true;
#ifdef HONEST
	up[ap] = false;
	fresh[ap] = false
#endif
}

inline sipi(ap)
{
	printf("CPU: SIPI to AP %d\n", ap);
	if
	:: waits[ap] -> start[ap] = true; waits[ap] = false
	:: else
	fi;
#ifdef HONEST
	fresh[ap] = fresh[ap] || !up[ap];
	up[ap] = true
#endif
}

#ifdef HONEST
#define MAY_ENTER(k) up[k]
#else
#define MAY_ENTER(k) true
#endif

inline enter(k)
{
	printf("CPU: L1 enters %d (AP %d)\n", k, tied[k]);
	begins = false;
	if
	:: tied[k] == NONE && TAKES(0) -> tied[k] = 0
	:: tied[k] == NONE && TAKES(1) -> tied[k] = 1
	:: else
	fi;
	if
	:: tied[k] != NONE && start[tied[k]] ->
		start[tied[k]] = false;
		begins = true;
		ran[k] = true
	:: else
	fi;
	if
	:: tied[0] == tied[1] && tied[0] != NONE -> assert(I6_start)
	:: ran[k] && tied[k] == NONE -> assert(I6_start)
	:: else
	fi;
#ifdef HONEST
	if
	:: !ran[k] -> assert(honest_refused)
	:: tied[k] != k || begins != fresh[k] -> assert(honest_out_of_step)
	:: else
	fi;
	fresh[k] = false;
#endif
	begins = false
}

proctype Cpu()
{
	bool begins;
end:
	do
	:: atomic { init_ipi(0) }
	:: atomic { init_ipi(1) }
	:: atomic { !HELD(0) -> sipi(0) }
	:: atomic { !HELD(1) -> sipi(1) }
	:: atomic { MAY_ENTER(0) -> enter(0) }
	:: atomic { MAY_ENTER(1) -> enter(1) }
	od
}

init
{
	run Cpu()
}
