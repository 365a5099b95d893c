/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest code, in assembly next to the test that runs it. GUEST(name, text) defines name and name_end
 * in a section of 64-bit code; `.code32` or `.code16` in the text is undone after it. A label
 * `1:` in the text can be named with GUEST_LABEL(name).
 * A guest ends with STOP, the call to its hypervisor (vendor.h).
 */
#ifndef L1_LIB_GUEST_H
#define L1_LIB_GUEST_H

#include "lib/layout.h"
#include "lib/tables.h"
#include "vendor.h"

#define STOP VENDOR_CALL "\n"
#define STOP_SIZE 3

#define GUEST(name, text)                                                               \
	extern const uint8_t name[], name##_end[];                                      \
	__asm__(".pushsection .guest, \"ax\"\n.balign 16\n" #name ":\n" text "\n" #name \
		"_end:\n.code64\n.popsection\n")

/* Declares labels defined in a guest's text. */
#define GUEST_LABEL(label) extern const uint8_t label[]

/*
 * Where interrupt `vector` of a guest in long mode arrives: STOP, then an IRETQ that returns (the
 * error code, if there is one, has to be taken off the stack by the test first).
 */
#define GUEST_STUB_SIZE 8
extern const uint8_t guest_stubs[];

static inline const uint8_t *guest_stub(unsigned vector)
{
	return guest_stubs + (size_t)vector * GUEST_STUB_SIZE;
}

#endif
