#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Xen and dom0 boot and use 1 CPU(s).
# timeout: 660
. "$(dirname "$0")/lib.sh"

boot_with_cpus 1
