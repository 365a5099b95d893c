# SPDX-License-Identifier: Apache-2.0
# For sed -E: what may differ between Xen's logs with and without the monitor, and nothing else.

# The memory map, the size of memory, and addresses and sizes that follow from them.
/^\(XEN\)  \[[0-9a-f]{16}, [0-9a-f]{16}\] \((usable|reserved|ACPI data|ACPI NVS)\)$/ d
s/^\(XEN\) (New Xen image base address|System RAM|Faking a node at).*/(XEN) \1 .../
s/^\(XEN\) ( *)(Dom0 alloc\.|Init\. ramdisk|Phys-Mach map|Start info|Page tables|Boot stack|TOTAL):.*/(XEN) \1\2: .../
s/^\(XEN\) Initial low memory virq threshold.*/(XEN) Initial low memory virq threshold .../

# Times and speeds.
s/^\(XEN\) Detected [0-9.]+ MHz processor/(XEN) Detected ... MHz processor/

# CPU features that the monitor adds where the hardware has none (docs/hardware.md).
/^\(XEN\)  - (Next-RIP Saved on #VMEXIT|DecodeAssists)$/ d

# CPU features that the monitor hides (R16, docs/hardware.md).
/^\(XEN\)  - (APIC Register Virtualization|Virtual Interrupt Delivery|Posted Interrupt Processing)$/ d
/^\(XEN\)  - (VMCS shadowing|VM Functions|Virtualisation Exceptions|Page Modification Logging)$/ d
/^\(XEN\)  - (TSC Scaling|Bus Lock Detection|Notify VM Exit|Virtualize SPEC_CTRL)$/ d

# Memory types: the monitor gives all CPUs the boot CPU's (docs/msr.md), so that Xen has none to correct.
/^\(XEN\) mtrr: (your CPUs had inconsistent|probably your BIOS|corrected configuration)/ d
/^\(XEN\) MTRR (default type|fixed ranges|variable ranges)/ d
/^\(XEN\)   ([0-9a-f]{5}-[0-9a-f]{5}|[0-9] base [0-9a-f]+ mask [0-9a-f]+|[0-9] disabled)( [a-z-]+)?$/ d
