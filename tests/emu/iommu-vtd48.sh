#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same with 48 bits, and snoop control.
# timeout: 900
. "$(dirname "$0")/lib.sh"

iommu_works vtd48 VT-d
