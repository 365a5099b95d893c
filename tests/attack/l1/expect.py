# SPDX-License-Identifier: Apache-2.0
"""
What each attack of a hostile L1 must meet: without the monitor it succeeds; with it, it fails, and the
victim is as said here: goes on, is stopped with one of these reasons, is never launched, ... An attack
marked `open` is one that the monitor does not defend against: it must succeed in both. One with a `limit`
cannot be defended against on that emulated CPU, and is skipped there. One that is `unshown` cannot
succeed on that emulated CPU, in whose place a real one has what it needs; it must be made all the same.
"""

import collections

GOES_ON = ("goes on",)
WROTE = ("stopped: L1 wrote to its memory",)
TABLE = ("stopped: L1 changed its table in a way that is not allowed",)
TAKEN = ("stopped: L1 has taken a page away that it needs, or not populated it",)
NEVER = ("never launched",)
REGISTERS = ("stopped: L1 changed registers that the instruction does not write",)
EVENT = ("stopped: L1 injected an event that the guest does not expect",)
# It was measured, and L1 got to know no more of it than that.
ENTRY = ("stopped: an entry was broken off after its registers were loaded",)
TORN_DOWN = ("torn down",)
ROUNDS = ("none",)  # a new victim in each

Attack = collections.namedtuple("Attack", "what then hw open limit unshown",
                                defaults=(("svm", "vmx"), False, (), ()))

# In the program's order.
ATTACKS = {
    # read.c
    "read": Attack("read the secret's page", GOES_ON),
    "read-alias": Attack("read it by another mapping, by loads of every kind", GOES_ON),
    "read-by-walk": Attack("have L1's CPU walk its page as a page table", WROTE + GOES_ON),
    "old-mapping-read": Attack("read on CPU 1 from before the launch on", GOES_ON),
    "no-nesting-read": Attack("read it as a guest that has no nested table", GOES_ON),
    "port-map-in-victim": Attack("use its page as a port bitmap, and see which ports exit", GOES_ON),
    "dead-read": Attack("read the memory that a guest leaves", TORN_DOWN),
    "stopped-read": Attack("read it after the guest was stopped", WROTE),
    "taken-page-read": Attack("take a page away and read it", GOES_ON),
    "window-read": Attack("read beside the operand of string output", GOES_ON),
    "mmio-listen": Attack("declare a page a device's, listen to a store", TAKEN),
    "export-flood": Attack("read all pages of a large guest again and again", GOES_ON),
    # write.c
    "write": Attack("write to a page, by stores of every kind", WROTE),
    "write-by-walk": Attack("have L1's CPU set A and D bits in a page", WROTE + GOES_ON),
    "enter-again": Attack("go on with a guest that was stopped", WROTE),
    "window-write": Attack("write beside the operand of string input", GOES_ON),
    "window-detached": Attack("replace a page while a window is open over it", TABLE),
    "control-in-victim": Attack("use its page as a VMCB or VMCS", GOES_ON),
    "state-in-victim": Attack("have VMSAVE or an MSR area store into its page", GOES_ON),
    # page.c
    "table-store": Attack("change a leaf, by stores of every kind and another mapping", TABLE),
    "table-as-own": Attack("use its nested table as L1's own page table", TABLE, limit=("vmx",)),
    "swap-pages": Attack("swap two pages", TABLE),
    "swap-taken": Attack("swap two pages that were taken away", TABLE),
    "replay": Attack("bring back what a page was before", TABLE),
    "feed-export": Attack("bring back what L1 read of a page", TABLE),
    "copy-page": Attack("bring one page's ciphertext in another's place", TABLE),
    "change-taken": Attack("flip a bit in a page that was taken away", TABLE),
    "mmio-answer": Attack("answer a load from its memory like a device", TAKEN),
    "mark-answer": Attack("the same by a mark for recalculation", REGISTERS),
    "marked-leaf": Attack("another page in a marked entry", TABLE),
    "reserved-leaf": Attack("another page in an entry with a reserved bit", TABLE),
    "table-replaced": Attack("another table in a table's place", TABLE),
    "top-replaced": Attack("another tree below the root", TABLE),
    "root-replaced": Attack("another root", GOES_ON),
    "share-private": Attack("map a private page again as shared", TABLE),
    # table.c
    "leaf-to-victim": Attack("an accomplice maps its page", GOES_ON),
    "leaf-to-victim-shared": Attack("the same as a shared page", GOES_ON),
    "leaf-to-victim-later": Attack("the same when it runs already", GOES_ON),
    "large-leaf": Attack("a leaf of 2 MiB around its page", GOES_ON),
    "large-leaf-later": Attack("the same when the accomplice runs already", GOES_ON),
    "giant-leaf": Attack("a leaf of 1 GiB over everything", GOES_ON),
    "table-loop": Attack("a loop in an accomplice's table, which edits it", GOES_ON),
    "table-as-page": Attack("an accomplice has its table as a page, and edits it", GOES_ON),
    "table-as-page-later": Attack("the same when it runs already", GOES_ON),
    "victims-table-as-page": Attack("an accomplice edits the victim's table", GOES_ON),
    "victims-table": Attack("an accomplice has the victim's table in its own", GOES_ON),
    "victims-table-later": Attack("the same when it runs already", GOES_ON),
    "victims-page-as-table": Attack("an accomplice has the victim's page as a table", GOES_ON),
    "victims-page-as-root": Attack("the same as its root", GOES_ON),
    "leaf-below": Attack("a guest maps a page of the monitor's", GOES_ON),
    "leaf-below-shared": Attack("the same as a shared page", GOES_ON),
    "leaf-below-later": Attack("the same when it runs already", GOES_ON),
    "table-below": Attack("a guest has a page of the monitor's as a table", GOES_ON),
    "mapped-twice": Attack("one page at two places of the victim", NEVER),
    "mapped-shared": Attack("one page, private and shared", NEVER),
    # vcpu.c
    "vcpu-added": Attack("a vCPU more, that tells the secret", GOES_ON),
    "vcpu-added-running": Attack("the same while the first one runs", GOES_ON),
    "vcpu-added-unasked": Attack("a vCPU where the victim's next one is to begin", GOES_ON),
    "vcpu-added-at-sipi": Attack("two vCPUs for one that the victim starts", GOES_ON),
    "vcpu-started-elsewhere": Attack("its second vCPU begins where L1 likes", GOES_ON),
    "two-vms-one-root": Attack("two VMs have its root", GOES_ON),
    "root-alias": Attack("the same by its root in other bits", GOES_ON),
    "root-crafted": Attack("the same by roots that are none, the monitor's, the victim's", GOES_ON),
    "vcpu-replaced": Attack("a vCPU's control structure serves another guest in between", REGISTERS),
    "vcpu-steered": Attack("change a vCPU's RIP", REGISTERS),
    "vcpu-twice": Attack("one vCPU on two CPUs", GOES_ON),
    "table-reused": Attack("tear its table down while it runs", TORN_DOWN),
    # Both emulators flush the whole TLB at each entry and exit.
    "shared-tag": Attack("victim and accomplice have one ASID or VPID", GOES_ON, unshown=("svm", "vmx")),
    "stale-translation": Attack("an accomplice keeps a translation to what becomes its page", GOES_ON),
    "taken-while-running": Attack("take a page away while it runs, without a flush", TAKEN),
    # race.c
    "race-leaf": Attack("CPU 1 flips a leaf during the launch", ROUNDS),
    "race-table": Attack("CPU 1 flips an entry above", ROUNDS),
    "race-twins": Attack("two guests with one page are launched at once", ROUNDS),
    "race-measure": Attack("CPU 1 flips what is measured", ROUNDS),
    "race-store": Attack("two CPUs take a page away and give it back", ROUNDS + GOES_ON),
    "race-read": Attack("CPU 1 reads in the lives of many victims", ROUNDS),
    # link.c
    "race-link": Attack("CPU 1 flips entries of tables that are linked into a live table", GOES_ON),
    "shared-child": Attack("a table in a new one's place, with one below it that is live", GOES_ON),
    # cpu.c
    "cpu-read": Attack("read x87 to AVX, debug registers, MSRs after an exit", GOES_ON),
    "cpu-write": Attack("change them after an exit", GOES_ON),
    # exits.c
    "exits-read": Attack("read each class of registers after each kind of exit", ROUNDS),
    "exits-write": Attack("change each class of registers after each kind of exit", ROUNDS),
    # Bochs lets no guest exit for an interrupt that waits when it is entered.
    "interrupt-read": Attack("the same after an interrupt", GOES_ON, unshown=("vmx",)),
    "shutdown-read": Attack("read registers after a triple fault", ("cannot be entered",)),
    "device-registers": Attack("answer a load with another register, too", GOES_ON),
    "instruction-skipped": Attack("go on behind the next instruction", REGISTERS),
    "exit-replayed": Attack("answer an exit with the registers of an earlier one", GOES_ON),
    # events.c
    "inject-machine-check": Attack("inject #MC", EVENT),
    "inject-double-fault": Attack("inject #DF", EVENT),
    "inject-page-fault": Attack("inject #PF", EVENT),
    "inject-interrupt": Attack("inject interrupt 80h, whose gate is for programs", EVENT),
    "inject-low-interrupt": Attack("inject interrupt 12h, the number of #MC", EVENT),
    "inject-software": Attack("inject INT 80h", EVENT),
    "inject-nmi": Attack("inject an NMI that nobody sent", EVENT),
    "inject-nmi-in-nmi": Attack("inject an NMI into the handler of one", EVENT),
    "inject-while-off": Attack("inject an interrupt while the guest has them off", EVENT),
    # lies.c
    "cpuid-hidden": Attack("CPUID has no AES and RDRAND any more", GOES_ON),
    "clock-back": Attack("set the counter's offset back", GOES_ON),
    "clock-answered": Attack("answer RDTSC with an earlier time", GOES_ON),
    # QEMU's WRMSR does not reach the counter.
    "clock-written": Attack("set the CPU's counter back", GOES_ON, unshown=("svm",)),
    "xcr0-from-below": Attack("change XCR0 before an entry", GOES_ON),
    "intercepts-on": Attack("be told of what the guest does by itself", ROUNDS),
    "exits-off": Attack("have a guest do what L1 may not, without exits", GOES_ON),
    # QEMU's APIC stays where it is; Bochs ends when more than 4 bytes of it are read.
    "apic-moved": Attack("move L1's APIC over its page", GOES_ON, unshown=("svm", "vmx")),
    # svm.c, vmx.c
    "state-write": Attack("change stack, tables and flags by the VMCB or VMCS", GOES_ON),
    "mode-write": Attack("another mode by the VMCS", GOES_ON, hw=("vmx",)),
    "inject-virtual": Attack("inject 80h by a virtual interrupt", EVENT, hw=("svm",)),
    "inject-virtual-low": Attack("the same with 12h", EVENT, hw=("svm",)),
    # QEMU has no AVIC.
    "inject-by-virtual-apic": Attack("the same by a virtual APIC", GOES_ON, hw=("svm",), unshown=("svm",)),
    "assist-read": Attack("read code of its by decode assists", TAKEN, hw=("svm",)),
    "host-save-in-victim": Attack("VMRUN keeps L1's state in its page", GOES_ON, hw=("svm",)),
    "load-from-victim": Attack("VMLOAD registers from its page", GOES_ON, hw=("svm",)),
    "virtual-apic-in-victim": Attack("its page is a virtual APIC", GOES_ON, hw=("vmx",)),
    "apic-access-in-victim": Attack("its page is the APIC, which L1 answers for", ENTRY, hw=("vmx",)),
    # dma.c: QEMU's device, and an IOMMU; Bochs has neither.
    "dma-read": Attack("a device reads its secret", GOES_ON, hw=("svm",)),
    "dma-write": Attack("a device writes to a page", GOES_ON, hw=("svm",)),
    "dma-cached": Attack("the same, of a page that it read before", GOES_ON, hw=("svm",)),
    "dma-table": Attack("a device writes to its nested table", GOES_ON, hw=("svm",)),
    "dma-late": Attack("a device's write is under way when it is launched", GOES_ON, hw=("svm",)),
    "dma-taken": Attack("a device reads a page that was taken away", GOES_ON, hw=("svm",)),
    "dma-read-below": Attack("a device reads the monitor's memory", ROUNDS, hw=("svm",)),
    "dma-write-below": Attack("a device writes to the monitor's memory", GOES_ON, hw=("svm",)),
    "dma-nmi": Attack("a device sends an NMI: VT-d's interrupt remapping is off", GOES_ON, hw=("svm",), open=True),
    # platform.c
    "init-storm": Attack("INITs take a CPU out of it, thousands of times", GOES_ON, unshown=("vmx",)),
    "crash-kernel": Attack("another kernel in Xen's place reads all memory", GOES_ON),
}
