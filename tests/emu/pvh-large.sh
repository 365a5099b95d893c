#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Xen maps a guest's memory by 1 GiB pages; it is launched, gives some of it back, which splits such a
# page, gets it again, and is destroyed.
# timeout: 900
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

in_dom0 "$(cat <<'END'
log=/var/log/xen/console/guest-pvh.log
sed -e 's/^memory = .*/memory = 3072/' -e 's/^cmdline = .*/cmdline = "console=hvc0 quiet lab.run=beat"/' \
	/guests/pvh.cfg >/tmp/pvh.cfg
. beats.sh
xl -vvv create -p /tmp/pvh.cfg 2>&1 | grep ' 1GB PAGES: '
xl destroy pvh
free=$(xl info free_memory)
guest-up /tmp/pvh.cfg 400 || exit 1
netherctl launch "$(xl domid pvh)"
beats_on "at first"
full=$(last kb)
xl mem-set pvh 3000
until_true "it has not given up its memory" '[ "$(last kb)" -le $((full - 70000)) ]'
xl mem-set pvh 3072
until_true "it has not got its memory back" '[ "$(last kb)" -eq "$full" ]'
echo "memory went and came back"
guest-destroy-all
echo "lost $((free - $(xl info free_memory))) MiB"
END
)" --mem 6144 --timeout 840
expect ' 1GB PAGES: 0x[0-9a-f]*[1-9a-f]' "pages of 1 GiB"
expect '^memory went and came back$' "ballooning"
expect '^lost 0 MiB$' "the end of the guest"
[ -n "${LAB_NO_MONITOR:-}" ] || expect '^launch digest \(SHA-256\) [0-9a-f]{64}$' "the guest was isolated"
