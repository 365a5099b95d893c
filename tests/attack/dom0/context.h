/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of a vCPU, as Xen keeps them for migration. */
#ifndef ATTACK_CONTEXT_H
#define ATTACK_CONTEXT_H

#include "tests/attack/dom0/world.h"

#include <xen/hvm/save.h>

/* Of the victim's first vCPU. False: errno says why not. */
bool context_read(struct world *w, HVM_SAVE_TYPE(CPU) * cpu);

/* They become a vCPU's of the victim, which is paused. One that was not running yet begins there. */
bool context_write(struct world *w, uint16_t vcpu, const HVM_SAVE_TYPE(CPU) * cpu);

void wait_ms(unsigned int ms);

#endif
