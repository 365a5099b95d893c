#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What an operator does with xl to a guest works on an isolated one too: a PVH Linux guest with two
# vCPUs.
# alone
# timeout: 900
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

in_dom0 "$(cat <<'END'
log=/var/log/xen/console/guest-pvh.log
sed -e 's/^vcpus = .*/vcpus = 2/' -e 's/^cmdline = .*/cmdline = "console=hvc0 quiet lab.run=beat"/' \
	/guests/pvh.cfg >/tmp/pvh.cfg

. beats.sh
state() { xl list pvh | awk 'NR == 2 { print $5 }'; }
memory() { xl list pvh | awk 'NR == 2 { print $3 }'; }

guest-up /tmp/pvh.cfg 300 || exit 1
beats_on "at first"
[ "$(xl vcpu-list pvh | awk '$1 == "pvh" && $4 != "-"' | wc -l)" = 2 ] || die "xl vcpu-list has not 2 vCPUs"

xl pause pvh
case $(state) in
*p*) ;;
*) die "xl list does not show it paused" ;;
esac
silent
xl unpause pvh
beats_on "after xl unpause"

full=$(last kb)
xl mem-set pvh 128
until_true "xl list does not show 128 MiB" '[ "$(memory)" -le 129 ]'
until_true "the guest has not given up its memory" '[ "$(last kb)" -le $((full - 60000)) ]'
beats_on "after xl mem-set 128"
xl mem-set pvh 192
until_true "xl list does not show 192 MiB again" '[ "$(memory)" -ge 191 ]'
until_true "the guest has not got its memory back" '[ "$(last kb)" = "$full" ]'
beats_on "after xl mem-set 192"
echo "memory went and came back"

before=$(netherctl guests 2>/dev/null | awk '$NF == "running" { print $1 }')
ups=$(grep -c '^LAB-GUEST up' $log)
xl reboot pvh
until_true "it did not come up again after xl reboot" \
	'[ "$(grep -c "^LAB-GUEST up" $log)" -gt "$ups" ]'
beats_on "after xl reboot"
[ -z "$before" ] || [ "$(netherctl guests | awk '$NF == "running" { print $1 }')" != "$before" ] ||
	die "it is the same guest for the monitor after a reboot"
netherctl launch "$(xl domid pvh)"
xl destroy pvh || die "xl destroy fails"
guest-destroy-all
echo "domains left: $(($(xl list | wc -l) - 1))"
END
)" --cpus 2 --timeout 840
expect '^memory went and came back$' "ballooning"
expect '^domains left: 1$' "the end of the guest"
[ -n "${LAB_NO_MONITOR:-}" ] || expect '^launch digest \(SHA-256\) [0-9a-f]{64}$' "the guest was isolated"
