# SPDX-License-Identifier: Apache-2.0
# The compiler that runs in the benchmarks' guest.
DEPS += tcc
