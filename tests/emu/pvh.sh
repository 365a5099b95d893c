#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A PVH Linux guest reaches its user space.
# timeout: 900
. "$(dirname "$0")/lib.sh"

guest_reports pvh 'nproc=1 '
