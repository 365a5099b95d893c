/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving a function from below: jump_save() returns again, with jump_to()'s value. */
#ifndef L1_LIB_JUMP_H
#define L1_LIB_JUMP_H

#include <stdint.h>

struct jump {
	uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
};

__attribute__((returns_twice)) uint64_t jump_save(struct jump *j);
_Noreturn void jump_to(const struct jump *j, uint64_t value);

#endif
