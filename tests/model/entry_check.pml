/* SPDX-License-Identifier: Apache-2.0 */
/* I6: what a guest is entered with, and what L1 is shown, compared with the truth. */

#define TRULY_SHADOWED (shadow[v] && rip == STAY)

inline check_entry()
{
	if
	:: reg != g_reg[v] -> assert(I6_changed)
	:: else
	fi;
	if
	:: res != g_res[v] && !(res == FOREIGN && rip == NEXT && ACCEPTS(g_row[v])) ->
		assert(I6_unaccepted)
	:: else
	fi;
	if
	:: rip == ELSEWHERE || (rip == NEXT && (!ADVANCES(g_row[v]) || inj == FAULT)) ->
		assert(I6_rip)
	:: else
	fi;
	if
	:: g_owed[v] != NONE && inj != g_owed[v] -> assert(I6_event_lost)
	:: g_owed[v] == NONE && inj != NONE && !asked -> assert(I6_event_doubled)
	:: g_owed[v] == NONE && inj == IRQ && (!iflag[v] || TRULY_SHADOWED) ->
		assert(I6_event)
	:: g_owed[v] == NONE && inj == NMI && (g_masked[v] || TRULY_SHADOWED) -> assert(I6_event)
	:: g_owed[v] == NONE && inj == FAULT && g_row[v] != INSN -> assert(I6_event)
	:: g_owed[v] == NONE && inj == BAD -> assert(I6_event)
	:: else
	fi;
#ifdef START
	if
	:: v == AP && !g_started -> assert(I6_start)
	:: else
	fi;
#endif
#ifdef HONEST
	honest_entry();
#endif
	g_reg[v] = reg;
	g_res[v] = res;
	g_row[v] = QUIET;
	g_owed[v] = NONE
}

#ifdef BUG_CALL_ANY
#define CONTINUES (call[v] != NONE)
#else
#define CONTINUES (call[v] == CALL_ID(v))
#endif

/* L1 is shown the argument of the exit, or of the call that this one continues. */
inline check_shown()
{
	if
	:: !ADVANCES(g_row[v]) || saved_reg[v] != reg -> assert(I6_shown)
	:: else
	fi;
	if
	:: why == CALL && CONTINUES && call[v] != CALL_ID(v) -> assert(I6_call)
	:: else
	fi
}

#ifdef START
/* The truth about the AP, when the BSP has sent an IPI, ... */
inline g_note_ipi(what)
{
	if
	:: what == INIT -> g_waits = true
	:: what > INIT && g_waits -> g_start = what - INIT; g_waits = false
	:: else
	fi
}

/*
 * ... and when it is entered next. An INIT may be on its way for any time, and so may a SIPI that has
 * not been noted yet; but once a SIPI has been, what comes next is the start.
 */
inline g_take_start()
{
	if
	:: v == AP && g_start != NONE ->
		g_reg[AP] = AT_VECTOR(g_start);
		g_res[AP] = AT_VECTOR(g_start);
		g_row[AP] = BEGIN;
		g_owed[AP] = NONE;
		g_masked[AP] = false;
		g_iret[AP] = false;
		g_started = true;
		g_start = NONE
	:: else
	fi
}
#endif
