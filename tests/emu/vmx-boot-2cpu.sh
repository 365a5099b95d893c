#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On VMX: Xen and dom0 use 2 CPUs, a PVH Linux guest reaches its user space and is destroyed.
# long
# timeout: 1500
# shellcheck disable=SC2034 # lib.sh reads hw
hw=vmx
. "$(dirname "$0")/lib.sh"

in_dom0 'echo "dom0 sees $(grep -c ^processor /proc/cpuinfo)"; echo "Xen has $(xl info nr_cpus)"
	guest-up /guests/pvh.cfg 700 && guest-destroy-all; status=$?
	echo "domains left: $(($(xl list | wc -l) - 1))"; exit $status' --cpus 2 --timeout 1440
expect '^dom0 sees 2$' "dom0's count of CPUs"
expect '^Xen has 2$' "Xen's count of CPUs"
expect '^LAB-GUEST up nproc=1 ' "the guest's own report"
expect '^domains left: 1$' "the end of the guest"
