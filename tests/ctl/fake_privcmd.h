/* SPDX-License-Identifier: Apache-2.0 */
/* What is mapped through the pretended privcmd device. */
#ifndef TESTS_CTL_FAKE_PRIVCMD_H
#define TESTS_CTL_FAKE_PRIVCMD_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a page of a domain's is mapped there now, and which. */
bool fake_mapped(const void *page, uint16_t *domid, uint64_t *gfn);

#endif
