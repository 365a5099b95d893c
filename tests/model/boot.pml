/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot, before L1 exists (R22): DMA is blocked, then what was loaded is put in place, measured and
 * entered. The devices are the adversary's: they write what DMA reaches, at any time. So they know
 * when the monitor looks at something, and can put it right for that moment.
 *
 * What protects the monitor's own memory until then is there from the start: VT-d's protected memory
 * registers or the firmware's own tables, as a measured launch leaves them. Without (a seeded bug),
 * looking at the table again when the IOMMU is on does not help: it may remember what is gone.
 */
#define GOOD 0 /* what the monitor wrote, or what the loader left there */
#define EVIL 1 /* bytes of the adversary's choice */

bool table, image;	     /* the blocking table of the IOMMU; what was loaded */
bool protected = true;	     /* the monitor's memory, which the table is in */
bool translates;	     /* the IOMMU translates */
bool cached;		     /* it has an entry of an evil table, which lets DMA pass */
bool old;		     /* writes that were let pass before are still on their way */
bool req, flushed;	     /* of its queue */
bool measured, entered;	     /* what the measurement says of the image; L1 runs */

#define PASSES (!translates || cached)

/* Never true: Spin prints the name of the one that is asserted. */
bool R22_measured, R22_blocked;

proctype Device()
{
end:
	do
	:: atomic { !entered && PASSES && !old -> old = true } /* it sends one, which may arrive late */
	:: atomic {
		old && !entered ->
			if
			:: image = EVIL
			:: !protected -> table = EVIL
			:: !protected -> table = GOOD
			:: old = false
			fi;
			printf("CPU -: DMA; the table is %d, the image %d\n", table, image)
		}
	od
}

/* Looks the table up when it likes, and remembers. A flush is told of when what was on its way arrived. */
proctype Iommu()
{
end:
	do
	:: atomic { translates && table == EVIL && !cached -> cached = true }
	:: atomic {
		req && !flushed ->
			cached = false;
			flushed = true
#ifdef BUG_BOOT_NO_DRAIN
			;
			req = false
#endif
		}
	:: atomic { flushed && !old -> flushed = false; req = false }
	od
}

inline block()
{
#ifdef BUG_BOOT_UNPROTECTED
	protected = false; /* nothing did */
#endif
	table = GOOD;
	printf("CPU 0 has written the table\n");
	atomic { translates = true; printf("CPU 0 enables the IOMMU\n") };
	req = true;
	!req;
	atomic {
		if
		:: table == EVIL -> goto stop /* looked at again */
		:: else
		fi;
		printf("CPU 0 has blocked DMA\n");
		if
		:: PASSES || old -> assert(R22_blocked)
		:: else
		fi
	};
	protected = false
}

proctype Cpu()
{
#ifndef BUG_MEASURE_OPEN
	block();
#endif
	measured = image;
	printf("CPU 0 measures the image\n");
#ifdef BUG_MEASURE_OPEN
	block();
#endif
	atomic {
		printf("CPU 0 enters the image\n");
		if
		:: image != measured -> assert(R22_measured)
		:: else
		fi;
		entered = true
	};
stop:
	skip
}

init
{
	atomic {
		run Device();
		run Iommu();
		run Cpu()
	}
}
