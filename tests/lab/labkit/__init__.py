# SPDX-License-Identifier: Apache-2.0
"""The lab: boots the monitor (or not), an L1, and reports what happened."""
