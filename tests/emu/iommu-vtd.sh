#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Devices and a guest, with Intel's IOMMU of 39 bits.
# timeout: 900
. "$(dirname "$0")/lib.sh"

iommu_works vtd VT-d
