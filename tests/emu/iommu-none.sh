#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Without an IOMMU DMA is open, and the monitor says so.
# timeout: 900
. "$(dirname "$0")/lib.sh"

iommu_works none -
