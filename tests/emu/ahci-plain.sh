#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An isolated HVM guest boots from its AHCI disk, and its own driver, with several commands in flight, reads and writes it.
# long
# timeout: 900
. "$(dirname "$0")/lib.sh"

in_dom0 'guest-up /guests/hvm-ahci.cfg 700 || exit 1
	for i in $(seq 60); do
		grep "^LAB-GUEST ran" /var/log/xen/console/serial-hvm-ahci.log && break
		sleep 1
	done
	netherctl guests
	guest-destroy-all' --timeout 840
expect '^LAB-GUEST up nproc=1 .*disk=lab disk label 1' "the guest's own report"
expect '^LAB-GUEST ran status=0' "what it wrote, read again"
expect '^ +[0-9]+ +1 +protected ' "that it is isolated"
