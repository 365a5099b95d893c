#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same with AMD's.
# timeout: 900
. "$(dirname "$0")/lib.sh"

iommu_works amdvi AMD-Vi
