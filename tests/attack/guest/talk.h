/* SPDX-License-Identifier: Apache-2.0 */
/* What the small guests share: a few of Xen's calls, the PV console, numbers in text. */
#ifndef ATTACK_GUEST_TALK_H
#define ATTACK_GUEST_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u
#define LINE 128 /* bytes of a command, with its NUL */

/* What RDI points to at the start of guest() (xen/include/public/arch-x86/hvm/start_info.h). */
struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t modlist, cmdline;
};

/* Before all else here. False: there is no console. */
bool talk_start(void);

uint64_t ticks_now(void);
void yield(void);

/* A line goes out at put_end(). */
void put(const char *text);
void put_hex(uint64_t value);
void put_named(const char *name, uint64_t value);
void put_end(void);

/* Waits for a line; talk_wait() is called again and again meanwhile: yield(), if nobody has said otherwise. */
void get_line(char line[LINE]);
extern void (*talk_wait)(void);

/* Whether something has come in. Leaves nothing, calls nobody. */
bool talk_waiting(void);

/* The hexadecimal number that begins here; *text is then behind it. */
uint64_t hex(const char **text);

/* The number behind NAME= in the command line, or 0. */
uint64_t option(const char *cmdline, const char *name);

#endif
