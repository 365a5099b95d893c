/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the foreign objects want of a C library and the monitor has not (monitor/lib.c has the rest). Not
 * in hosted programs.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
void *__memcpy_chk(void *dst, const void *src, size_t n, size_t room);
void *__memset_chk(void *dst, int c, size_t n, size_t room);
_Noreturn void __stack_chk_fail(void);

/* A bug stops the machine by an invalid opcode, whose handler says where. */
void *__memcpy_chk(void *dst, const void *src, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memcpy(dst, src, n);
}

void *__memset_chk(void *dst, int c, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memset(dst, c, n);
}

_Noreturn void __stack_chk_fail(void)
{
	__builtin_trap();
}
