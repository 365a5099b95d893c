/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that change, TLBs that do not, and shootdowns. c is the CPU that does it. */

inline flush_host(cpu)
{
	stale_w[cpu] = 0;
	stale_r[cpu] = 0;
	for (k : 0 .. FRAMES - 1) {
		STALE_WIN(cpu, k) = 0;
		pend[k] = pend[k] & ~BIT(cpu);
		if
		:: fr[k] == FR_FREE && !pend[k] -> fr_page[k] = NONE; fr_x[k] = 0
		:: else
		fi
	}
	k = 0
}

inline flush_guest(cpu, gu)
{
	for (k : FIRST(gu) .. LAST(gu)) {
		STALE_PTE(cpu, k) = 0
	}
	k = 0;
	STALE_TAB(cpu, gu) = 0;
	RAN(cpu, gu) = 0 /* it is entered again only by enter() */
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

/* A CPU that waits, for this or for a lock, answers: two that shoot at each other must not hang. */
inline await()
{
	do
	:: !REQUESTED(1 - c) && !(io_req & BIT(c)) -> break
#ifndef BUG_DEAF
	:: REQUESTED(c) -> answer()
#endif
	od
}

inline shoot_host()
{
	d_step {
		flush_host(c);
		req_host[1 - c] = true;
		io_request()
	};
	await()
}

/* Only CPUs that entered the guest are asked. */
inline shoot_guest(gu)
{
	d_step {
		flush_guest(c, gu);
		if
		:: RAN(1 - c, gu) -> req_guest[1 - c] = req_guest[1 - c] | BIT(gu)
		:: else
		fi
	};
	await()
}

/* What the host table said before stays in every TLB. */
inline host_map(pg, how)
{
	d_step {
		if
		:: hmap[pg] == RW && how != RW ->
			stale_w[0] = stale_w[0] | BIT(pg);
			stale_w[1] = stale_w[1] | BIT(pg)
		:: hmap[pg] == RO && how != RW ->
			stale_r[0] = stale_r[0] | BIT(pg);
			stale_r[1] = stale_r[1] | BIT(pg)
		:: IS_WINDOW(hmap[pg]) ->
			f = hmap[pg] - WINDOW(0);
			STALE_WIN(0, f) = STALE_WIN(0, f) | BIT(pg);
			STALE_WIN(1, f) = STALE_WIN(1, f) | BIT(pg);
			pend[f] = 3;
			f = 0
		:: else
		fi;
		hmap[pg] = how
	}
}

/* A leaf entry goes; CPUs that entered the guest may still use it. */
inline guest_unmap(xx)
{
	d_step {
		if
		:: pte[xx] != NONE ->
			for (k : 0 .. 1) {
				if
				:: RAN(k, OF(xx)) == ENTERED ->
					STALE_PTE(k, xx) = STALE_PTE(k, xx) | BIT(pte[xx])
				:: else
				fi
			}
			k = 0
		:: else
		fi;
		pte[xx] = NONE
	}
}

/* The whole table goes, by one store to the level above. */
inline guest_unlink(gu)
{
	d_step {
		for (k : 0 .. 1) {
			if
			:: RAN(k, gu) == ENTERED -> STALE_TAB(k, gu) = STALE_TAB(k, gu) | BIT(tab[gu])
			:: else
			fi
		}
		walked[gu] = false
	};
	for (x : FIRST(gu) .. LAST(gu)) {
		guest_unmap(x)
	}
	x = 0
}
