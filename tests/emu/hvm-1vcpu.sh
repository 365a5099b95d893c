#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM Linux guest with one virtual CPU reaches its user space.
# timeout: 900
. "$(dirname "$0")/lib.sh"

guest_reports hvm1 'nproc=1 '
