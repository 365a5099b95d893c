#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nothing that a command prints can be taken for the lab's own reports.
# timeout: 60
. "$(dirname "$0")/lib.sh"

python3 tests/lab/labkit/test_protocol.py || fail "labkit/protocol.py"
