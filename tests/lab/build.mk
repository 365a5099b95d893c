# SPDX-License-Identifier: Apache-2.0
# What labkit/net.py builds nether-vif with, for the guests' kernel.
DEPS += linux-headers-cloud-amd64
