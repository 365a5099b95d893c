/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that change, and flushes. c is the CPU that does it. */

inline flush_host(cpu)
{
	stale_rw[cpu] = 0;
	stale_frame[cpu] = 0
}

inline flush_guest(cpu, gu)
{
	STALE(cpu, gu) = 0;
	KNOWS(cpu, gu) = false /* it is entered again only by enter() */
}

inline answer()
{
	d_step {
		printf("CPU %d answers: flushes host %d, guests %d\n", c, req_host[c], req_guest[c]);
		if
		:: req_host[c] -> flush_host(c); req_host[c] = false
		:: else
		fi;
		if
		:: req_guest[c] & 1 -> flush_guest(c, 0)
		:: else
		fi;
		if
		:: req_guest[c] & 2 -> flush_guest(c, 1)
		:: else
		fi;
		req_guest[c] = 0
	}
}

/* A CPU that waits for others to flush answers: two that shoot at each other must not hang. */
inline await()
{
	do
	:: !REQUESTED(1 - c) -> break
	:: REQUESTED(c) -> answer()
	od
}

inline shoot_host()
{
	d_step { flush_host(c); req_host[1 - c] = true };
	await()
}

/* Only CPUs that may know the guest are asked. */
inline shoot_guest(gu)
{
	d_step {
		flush_guest(c, gu);
		if
		:: KNOWS(1 - c, gu) -> req_guest[1 - c] = req_guest[1 - c] | BIT(gu)
		:: else
		fi
	};
	await()
}

/* What a guest's entry led to stays in the TLBs that may know the guest. */
inline linger(gu, set)
{
	if
	:: KNOWS(0, gu) -> STALE(0, gu) = STALE(0, gu) | (set)
	:: else
	fi;
	if
	:: KNOWS(1, gu) -> STALE(1, gu) = STALE(1, gu) | (set)
	:: else
	fi
}

inline host_map(how)
{
	d_step {
		if
		:: hmap[h] == RW && how != RW ->
			stale_rw[0] = stale_rw[0] | BIT(h);
			stale_rw[1] = stale_rw[1] | BIT(h)
		:: hmap[h] != ABSENT && hmap[h] != RW && how != hmap[h] ->
			stale_frame[0] = stale_frame[0] | BIT(h);
			stale_frame[1] = stale_frame[1] | BIT(h)
		:: else
		fi;
		hmap[h] = how
	}
}

/* Nothing of what was in it is left; whoever reaches it may write to it at once. */
inline scrub()
{
	d_step {
		content[h] = 0;
		x = 0;
		do
		:: x < GUESTS ->
			if
			:: REACHES(x, h) -> content[h] = content[h] | DATA(x)
			:: else
			fi;
			x++
		:: else -> break
		od;
		x = 0;
		if
		:: HOST_REACHES(h) -> content[h] = content[h] | DATA(PARTY_HOST)
		:: else
		fi
	}
}
