/* SPDX-License-Identifier: Apache-2.0 */
/* What foreign code leaves below its caller's frame: scalars, field elements, SHA-256's schedules of keys. */
#ifndef CRYPTO_STACK_H
#define CRYPTO_STACK_H

/* The deepest, that of signing, has 2.6 KiB: tests/unit/test_crypto_registers.c looks. */
#define STACK_WIPED 3072

#ifndef __ASSEMBLER__
/* Zeroes as many bytes below the frame of the function that calls this; the stack must have them. */
void stack_wipe(void);
#endif

#endif
