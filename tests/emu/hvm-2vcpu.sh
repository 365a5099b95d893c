#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM Linux guest with two virtual CPUs uses both.
# alone
# timeout: 900
. "$(dirname "$0")/lib.sh"

guest_reports hvm2 'nproc=2 ' --cpus 2
