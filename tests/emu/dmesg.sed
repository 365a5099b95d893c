# SPDX-License-Identifier: Apache-2.0
# What may differ between Xen's logs with and without the monitor, and nothing else. sed -E.

# The memory map, sizes of memory, and addresses that follow from them.
/^\(XEN\) Xen-e820 RAM map:/,/^\(XEN\)  *\[.*\(usable|reserved|ACPI/ b map
b rest
:map
/^\(XEN\)  *\[[0-9a-f]+, [0-9a-f]+\]/ d
:rest
/^\(XEN\)  *\[[0-9a-f]{16}, [0-9a-f]{16}\] \((usable|reserved|ACPI data|ACPI NVS)\)/ d
s/^\(XEN\) (New Xen image base address|System RAM|Domain heap|Faking a node at).*/(XEN) \1 .../
s/^\(XEN\)   (Dom0 alloc\.|Init\. ramdisk):.*/(XEN)   \1: .../
s/^(\(XEN\) .*kernel.*|\(XEN\)  (Init. ramdisk|Phys-Mach map|Start info|Page tables|Boot stack|TOTAL|ENTRY ADDRESS|Loaded kernel|Xenstore ring|Console ring): +)[0-9a-f]+->[0-9a-f]+/\1.../
s/\(([0-9]+) pages to be allocated\)/(... pages to be allocated)/
s/^\(XEN\) Scrubbing Free RAM.*/(XEN) Scrubbing .../
s/^\(XEN\) Initial low memory virq threshold.*/(XEN) Initial low memory virq threshold .../

# Times and speeds.
s/Detected [0-9.]+ MHz processor/Detected ... MHz processor/
s/(Platform timer is|TSC: constant|skew|[cC]alibrat).*/\1 .../
