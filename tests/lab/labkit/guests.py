# SPDX-License-Identifier: Apache-2.0
def ensure(say):
    pass
