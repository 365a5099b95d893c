/* SPDX-License-Identifier: Apache-2.0 */
/* What L1 chooses, the guest does, and what is told to L1. */

#ifdef START
/* The BSP sends IPIs; the AP executes instructions. */
inline any_exit()
{
	if
	:: why = QUIET
	:: v == AP -> why = INSN
	:: v == BSP ->
		why = IPI;
		if
		:: ipi = INIT
		:: ipi = INIT + 1
		:: ipi = INIT + 2
		fi;
		printf("CPU %d: the BSP sends %d\n", c, ipi)
	fi
}
#else
/* odd: an exit that L1 asked for in vain. Its result is the guest's own affair. */
inline any_exit()
{
	if
	:: why = QUIET
	:: !odd -> why = INSN
	:: !odd -> why = CALL
	fi
}
#endif

#ifndef HONEST
inline any_vcpu()
{
	if
#ifdef BUG_TWO_AT_ONCE
	:: v = BSP
#else
	:: !user[BSP] -> v = BSP
#endif
#ifdef START
	:: !user[AP] -> v = AP
#endif
	fi
}

inline any_request()
{
	if
	:: q_rip = STAY
	:: q_rip = NEXT
	:: q_rip = ELSEWHERE
	fi;
#ifdef START
	if
	:: q_event = NONE
	:: v == AP -> q_event = IRQ
	:: v == AP -> q_event = NMI
	fi
#else
	if
	:: q_event = NONE
	:: q_event = IRQ
	:: q_event = FAULT
	:: q_event = BAD
	:: q_event = NMI
	fi;
	if
	:: q_preempted = false
	:: row[v] == CALL && q_rip == STAY -> q_preempted = true
	fi;
	if
	:: virq = false
	:: virq = true
	fi;
	if
	:: odd = false
	:: odd = true
	fi
#endif
}

inline show_l1()
{
	skip
}

inline l1_gets()
{
	skip
}
#else
/* An IPI is carried out before its sender goes on. */
inline any_vcpu()
{
	if
#ifdef START
	:: has[BSP] && icr == NONE -> v = BSP
	:: has[AP] && up -> v = AP
	:: icr == INIT && (has[AP] || !up) -> up = false; fresh = false; icr = NONE; goto next
	:: icr > INIT && up -> icr = NONE; goto next
	:: icr > INIT && !up ->
		up = true;
		fresh = true;
		seen_if[AP] = false; /* nothing else is reset that concerns the injection */
		seen_row[AP] = QUIET;
		icr = NONE;
		goto next
#else
	:: has[BSP] -> v = BSP
#endif
	fi;
	has[v] = false;
	if
	:: user[v] -> assert(honest_refused)
	:: else
	fi
}

/* As an exit's handler and the injection of interrupts do it in Xen. */
inline any_request()
{
	if
	:: seen_row[v] != QUIET -> q_rip = NEXT
	:: seen_row[v] != IPI -> q_rip = STAY
	:: seen_row[v] == INSN -> q_rip = STAY; q_event = FAULT
	:: seen_row[v] == CALL -> q_rip = STAY; q_preempted = true
	fi;
	if
	:: seen_kept[v] != NONE -> q_event = seen_kept[v]
	:: seen_kept[v] == NONE
	:: seen_kept[v] == NONE && q_event == NONE && seen_if[v] &&
			(!seen_shadow[v] || q_rip == NEXT) ->
		q_event = IRQ
	:: v == VCPUS - 1 && seen_kept[v] == NONE && q_event == NONE && !seen_masked[v] &&
			(!seen_shadow[v] || q_rip == NEXT) ->
		q_event = NMI;
		seen_masked[v] = true
	fi
}

inline show_l1()
{
	seen_if[v] = iflag[v];
	seen_masked[v] = seen_masked[v] && !exits;
	seen_shadow[v] = shadow[v];
	seen_row[v] = why;
#ifndef BUG_KEPT_HIDDEN
	seen_kept[v] = kept[v];
#endif
#ifdef START
	if
	:: v == BSP -> icr = ipi
	:: else
	fi
#endif
}

inline l1_gets()
{
	has[v] = true
}

/* L1 and the monitor agree on whether the AP begins. */
inline honest_entry()
{
#ifdef START
	if
	:: v == AP && fresh != begins -> assert(honest_out_of_step)
	:: v == AP && fresh == begins -> fresh = false; begins = false
	:: else
	fi
#else
	skip
#endif
}
#endif
