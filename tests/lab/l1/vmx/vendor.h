/* SPDX-License-Identifier: Apache-2.0 */
/* What lib/ and programs for both vendors need to know of this one. */
#ifndef L1_VENDOR_H
#define L1_VENDOR_H

/* The call to the hypervisor, 3 bytes. */
#define VENDOR_CALL "vmcall"
#define VENDOR_CALL_INSTRUCTION vmcall

#ifndef __ASSEMBLER__
void vmx_start(void);
#define vendor_start vmx_start
#endif

#endif
