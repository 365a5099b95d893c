#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On VMX: an HVM Linux guest boots from its IDE disk without DMA, isolated. It has no VGA, whose text
# would take Bochs minutes.
# long
# timeout: 1700
# shellcheck disable=SC2034,SC2154 # lib.sh reads hw, and sets output
hw=vmx
. "$(dirname "$0")/lib.sh"

in_dom0 "$(cat <<'END'
sed 's/^vga = .*/vga = "none"/' /guests/hvm-pio.cfg >/tmp/hvm.cfg
guest-up /tmp/hvm.cfg 1500 || exit 1
xl list
netherctl launch "$(xl domid hvm-pio)"
xl destroy hvm-pio || exit 1
guest-destroy-all
END
)" --cpus 1 --timeout 1640
expect '^LAB-GUEST up nproc=1 ' "the guest's own report"
[ -n "${LAB_NO_MONITOR:-}" ] || expect '^launch digest \(SHA-256\) [0-9a-f]{64}$' "the guest was isolated"
