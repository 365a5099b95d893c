#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest's launch digest is the same at each start and in each boot of the machine, and changes with
# whatever the guest is made of.
# timeout: 900
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

# digest NAME CFG [SETTING..]: "DIGEST NAME 64 hex digits" of a guest made so; $declare is declared before.
functions=$(cat <<'END'
digest() {
	name=$1 cfg=/guests/$2.cfg
	shift 2
	xl create -q -p "$cfg" "$@" || return 1
	domid=$(xl list | awk 'NR == 3 { print $2 }')
	[ -z "${declare:-}" ] || netherctl declare "$domid" "$declare" || return 1
	xl unpause "$domid"
	tries=0
	until netherctl launch "$domid" >/tmp/launch 2>/tmp/why; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { cat /tmp/why; return 1; }
		usleep 100000
	done
	sed -n "s/^launch digest (SHA-256) /DIGEST $name /p" /tmp/launch
	guest-destroy-all
}

changed() { # FILE: a copy of it with one other byte
	at=$(($(stat -c %s "$1") / 2))
	{
		head -c $at "$1"
		tail -c +$((at + 1)) "$1" | head -c 1 | tr '\000-\377' '\001-\377\000'
		tail -c +$((at + 2)) "$1"
	} >"/tmp/changed-${1##*/}"
}
END
)

in_dom0 "$functions
$(cat <<'END'
digest pvh pvh-tiny && digest again pvh-tiny || exit 1
digest cmdline pvh-tiny 'cmdline="other"' || exit 1
digest memory pvh-tiny 'memory=20' || exit 1
digest acpi pvh-tiny 'vcpus=2' || exit 1 # one more processor in its MADT
sed 's/LAB-GUEST/LAB-OTHER/' /guests/tiny.elf >/tmp/other.elf
digest kernel pvh-tiny 'kernel="/tmp/other.elf"' || exit 1
declare=sealed digest sealed pvh-tiny || exit 1
declare=open digest open pvh-tiny || exit 1
digest hvm hvm-tiny && digest hvm-again hvm-tiny || exit 1
bios=/usr/share/seabios/bios-256k.bin
changed $bios
digest hvm-seabios hvm-tiny 'bios="seabios"' "bios_path_override='/tmp/changed-${bios##*/}'" || exit 1
printf 'SSDT\044\000\000\000\001\000NETHERNETHERV \001\000\000\000TEST\001\000\000\000' >/tmp/ssdt
digest hvm-acpi hvm-tiny 'acpi_firmware="/tmp/ssdt"' || exit 1
END
)" --timeout 800

# value NAME: the digest of that name
value() { printf '%s\n' "$output" | sed -n "s/^DIGEST $1 //p"; }
pvh=$(value pvh) hvm=$(value hvm)
for name in pvh hvm; do
	value $name | grep -Eqx '[0-9a-f]{64}' || fail "no digest of $name"
done
[ "$(value again)" = "$pvh" ] || fail "the digest of the same PVH guest differs"
[ "$(value open)" = "$pvh" ] || fail "a guest declared open differs from one not declared"
[ "$(value hvm-again)" = "$hvm" ] || fail "the digest of the same HVM guest differs"
# All others differ from these and from each other.
count=$(printf '%s\n' "$output" | sed -n 's/^DIGEST [^ ]* //p' | sort -u | wc -l)
[ "$count" = 9 ] || fail "$count different digests, not 9"

in_dom0 "$functions
digest pvh pvh-tiny && digest hvm hvm-tiny" --timeout 300
[ "$(value pvh)" = "$pvh" ] || fail "the PVH guest's digest differs after a boot of the machine"
[ "$(value hvm)" = "$hvm" ] || fail "the HVM guest's digest differs after a boot of the machine"
