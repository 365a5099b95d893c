/* SPDX-License-Identifier: Apache-2.0 */
/* What lib/ and programs for both vendors need to know of this one. */
#ifndef L1_VENDOR_H
#define L1_VENDOR_H

/* The call to the hypervisor, 3 bytes. */
#define VENDOR_CALL "vmmcall"
#define VENDOR_CALL_INSTRUCTION vmmcall

#ifndef __ASSEMBLER__
void svm_start(void);
#define vendor_start svm_start
#endif

#endif
