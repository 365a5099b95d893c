/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the I/O and MSR permission maps that are the same for both vendors, for a program that
 * defines what is declared first: where the maps are and how such an exit is reported.
 */
#ifndef L1_LIB_MAP_TESTS_H
#define L1_LIB_MAP_TESTS_H

#include "vendor_guest.h"

/* A guest that executes one I/O instruction, at `at`; DX has the port. */
struct io {
	const char *name;
	const uint8_t *code, *at, *next;
	bool in, string, rep;
	unsigned size;    /* bytes */
	unsigned address; /* bits, of strings */
	enum segment { SEGMENT_ES, SEGMENT_DS = 3, SEGMENT_FS = 4 } segment;
};

#define IO_CODE(id, setup, instruction) \
	GUEST_LABEL(at_##id);           \
	GUEST_LABEL(next_##id);         \
	GUEST(code_##id, setup "\nat_" #id ": " instruction "\nnext_" #id ":" STOP)
#define IO_CASE(id, bytes) \
	.name = #id, .code = code_##id, .at = at_##id, .next = next_##id, .size = (bytes)

/* What the maps cover. */
extern const struct map_shape {
	bool beyond_last_port; /* if not, an access that wraps around always exits */
	uint32_t own_msr;      /* one of the vendor's, which a guest may not touch; or 0 */
	uint32_t msr_ends[6];  /* first and last of each range of MSRs */
	unsigned ends;
	uint32_t msr_outside[6]; /* these always exit */
} map_shape;

static inline void map_set(uint8_t *map, size_t bit, bool on)
{
	map[bit / 8] = (uint8_t)((map[bit / 8] & ~(1u << bit % 8)) | (unsigned)on << bit % 8);
}

/* A guest with empty maps in effect. */
struct guest mapped_guest(const void *code);

/* Changes one bit of a map, or all. */
void port_exits(struct guest *g, unsigned port, bool exits);
void msr_exits(struct guest *g, uint32_t msr, bool write, bool exits);
void all_ports_exit(struct guest *g);
void all_msrs_exit(struct guest *g, bool exits);

/* Another map of MSRs (two pages), or NULL: the guest's own again. */
void use_msr_map(struct guest *g, const void *map);

/* Runs the guest and checks the exit of the instruction. */
void expect_io(struct guest *g, const struct io *i, uint16_t port);
void expect_msr(struct guest *g, bool write, const uint8_t *at, const uint8_t *next);

/* All of them. */
void map_tests(void);

/* The tests for one more I/O instruction. */
void io_tests(const struct io *i);

#define IOS 15
extern const struct io ios[IOS];

/* A guest of an I/O instruction, with its port. */
struct guest io_guest(const struct io *i, uint16_t port);

/* A port that nothing answers, or that does no harm: 0x80 is the POST code. */
#define QUIET_PORT 0x80

#endif
