# SPDX-License-Identifier: Apache-2.0
"""
What each attack must meet: without the monitor it succeeds; with it, it fails, and the victim is one of
what is said here: it goes on without noticing anything, or it is not entered again, for the reason that
netherctl shows. `other` is why an accomplice is stopped. OPEN says that the monitor does not defend
against it: it must succeed in both. `untried` matches how what an attack needs fails above the monitor,
and fails because the guest is protected; any other attack that could not be tried is no proof.
"""

import collections

GOES_ON = ("goes on",)
WROTE = ("stopped: L1 wrote to its memory",)
TABLE = ("stopped: L1 changed its table in a way that is not allowed",)
TAKEN = ("stopped: L1 has taken a page away that it needs, or not populated it",)
# What comes first: that it misses a page, or that it would get another one.
REPLACED = TAKEN + TABLE
# The page that Xen gives it instead may be another, or the same with something else in it.
REWRITTEN = WROTE + TABLE
REGISTERS = ("stopped: L1 changed registers that the instruction does not write",)
EVENT = ("stopped: L1 injected an event that the guest does not expect",)
# Xen gives a guest up of which one vCPU cannot be entered.
NOT_ENTERED = ("stopped by Xen: a vCPU was not entered",)

Attack = collections.namedtuple("Attack", "what then open slow other untried",
                                defaults=(False, False, (), None))

ATTACKS = {
    # Reading the victim's memory.
    "foreign-read": Attack("map a page of the guest and read it", GOES_ON),
    "foreign-search": Attack("map all pages of the guest and search them", GOES_ON),
    "search-all": Attack("search dom0's memory and all that it can map", GOES_ON),
    "old-mapping-read": Attack("read by a mapping made before the guest's start", GOES_ON),
    "dump-core": Attack("xl dump-core", GOES_ON),
    "save-stream": Attack("save the guest as for migration", GOES_ON),
    # What reads there is ciphertext.
    "page-walk": Attack("find a page by the guest's own page tables", GOES_ON,
                        untried="its page tables lead nowhere|mapping gfn"),
    "ballooned-out-read": Attack("take a page away, read it by an old mapping", TAKEN),
    "freed-page-search": Attack("take a page away, find it in new memory of another guest", TAKEN),
    "mmio-listen": Attack("declare a page a device's, and listen to what is written", TAKEN),
    "grant-forged-read": Attack("forge a grant and map the page by it", GOES_ON),
    "two-guests-read": Attack("map a page of the guest into another guest, which reads it",
                              GOES_ON, other=TABLE),
    "all-ram-search": Attack("map all RAM into another guest, which searches it",
                             GOES_ON, slow=True, other=TABLE,
                             untried="the other guest cannot search on"),
    "write-log": Attack("learn from the log for migration which pages are written", GOES_ON, open=True),
    # Changing it.
    "foreign-write": Attack("map a page of the guest and write to it", WROTE),
    "old-mapping-write": Attack("write by a mapping made before the guest's start", WROTE),
    "code-write": Attack("write code into the guest that tells its secret", WROTE),
    # What reads there is ciphertext, which may look like an entry or not.
    "page-table-write": Attack("change an entry of the guest's own page tables", WROTE + GOES_ON),
    "replay-page": Attack("write back what a page held earlier", WROTE),
    "copy-page": Attack("write what one page of the guest reads as into another", WROTE),
    "balloon-replace": Attack("balloon a page out and in, with other content", REWRITTEN),
    "balloon-replay": Attack("balloon a page out and in, with what it held earlier", REWRITTEN),
    "grant-forged-write": Attack("forge a grant and write to the page by it", WROTE),
    "two-guests-write": Attack("map a page of the guest into another guest, which writes",
                               GOES_ON, other=TABLE),
    # Putting other memory, or none, in its place.
    "balloon-take": Attack("take a page away", TAKEN),
    "unmap-page": Attack("unmap a page", TAKEN),
    "populate-over": Attack("put a new page over one of the guest's", REPLACED),
    "swap-pages": Attack("swap two pages", REPLACED),
    "swap-while-running": Attack("swap two pages and back, while the guest runs", REPLACED),
    "move-page": Attack("move a page over another", REPLACED),
    "shared-info-over": Attack("put Xen's shared_info over a page", REPLACED),
    "grant-frame-over": Attack("put the grant table over a page", REPLACED),
    "ioreq-page-over": Attack("have Xen use a page for its device model", REPLACED),
    "host-frame-over": Attack("put a page of dom0 over one of the guest's", REPLACED),
    "declare-mmio": Attack("declare a page a device's", TAKEN),
    "declare-read-only": Attack("declare a page read-only, so that writes are lost", EVENT),
    # Its registers.
    "xenctx": Attack("xenctx prints its general registers", GOES_ON),
    "hvmctx": Attack("xen-hvmctx prints its registers", GOES_ON),
    "registers-read": Attack("read its general registers", GOES_ON),
    "system-read": Attack("read STAR, DR1 and CR2", GOES_ON),
    "vectors-read": Attack("read XMM registers", GOES_ON),
    "registers-write": Attack("change its general registers", GOES_ON),
    "system-write": Attack("change STAR, DR1 and CR2", GOES_ON),
    "vectors-write": Attack("change XMM registers", GOES_ON),
    "steer": Attack("have it go on at code that tells its secret", REGISTERS),
    "clock-back": Attack("set its clock back", GOES_ON),
    "clock-emulated": Attack("answer its RDTSC", GOES_ON),
    "single-step": Attack("have it trap behind each instruction", GOES_ON),
    "processor-added": Attack("start a processor at an address of the host's choice", NOT_ENTERED),
    "processor-reset": Attack("reset its processor: S3 and back", REGISTERS),
    # Events.
    "inject-page-fault": Attack("inject #PF", EVENT),
    "inject-double-fault": Attack("inject #DF", EVENT),
    "inject-machine-check": Attack("inject #MC", EVENT),
    "inject-system-call": Attack("inject INT 80h", EVENT),
    "message-system-call": Attack("send MSI 80h", EVENT),
    "message-machine-check": Attack("send MSI 12h, the number of #MC", EVENT),
    "trigger-nmi": Attack("have Xen send an NMI", EVENT),
    # On an HVM guest with a device model.
    "hvm-foreign-read": Attack("map a page of an HVM guest and read it", GOES_ON, slow=True),
    "hvm-foreign-write": Attack("map a page of an HVM guest and write to it", WROTE, slow=True),
    "hvm-old-mapping-read": Attack("read an HVM guest by a mapping made before its start", GOES_ON,
                                   slow=True),
    "hvm-swap-pages": Attack("swap two pages of an HVM guest", REPLACED, slow=True),
    "hvm-search-all": Attack("search dom0's memory and all that it can map", GOES_ON, slow=True),
}

# The emulator with VMX is slow: `make test-all` makes these there, `make attack HW=vmx` all but the slow.
TESTED_ON_VMX = ("foreign-read", "page-walk", "grant-forged-read", "two-guests-read", "foreign-write",
                 "old-mapping-write", "replay-page", "balloon-replace", "unmap-page", "swap-pages",
                 "host-frame-over", "declare-mmio", "registers-read", "registers-write", "system-read",
                 "vectors-write", "steer", "clock-back", "processor-added", "inject-page-fault",
                 "inject-machine-check", "message-system-call", "trigger-nmi")
# The victim ends on the bare machine there, too: they prove nothing.
UNSHOWN_ON_VMX = ("processor-reset", "inject-system-call")
