#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A PVH Linux guest with four virtual CPUs on a machine of four uses them all.
# alone
# timeout: 900
. "$(dirname "$0")/lib.sh"

guest_reports pvh4 'nproc=4 ' --cpus 4
