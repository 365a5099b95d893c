#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On VMX: Xen's own log of its boot is the same with and without the monitor, but for what is hidden.
# long
# timeout: 1200
# shellcheck disable=SC2034 # lib.sh reads hw
hw=vmx
. "$(dirname "$0")/dmesg-same.sh"
