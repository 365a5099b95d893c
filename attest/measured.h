/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the monitor measures into the TPM before it enters L1: docs/attestation.md, "What is measured". PCRs that locality 0
 * cannot reset (TCG PC Client Platform TPM Profile 1.05, 4.6.1), and that firmware and GRUB do not use.
 */
#ifndef ATTEST_MEASURED_H
#define ATTEST_MEASURED_H

#include <stdint.h>

#define MEASURED_PCR_LOADED 11u
#define MEASURED_PCR_KEYS 12u

/* TCG PC Client Platform Firmware Profile 1.05, table 27: the digest is that of the event's data. */
#define MEASURED_EVENT_TYPE 6u /* EV_EVENT_TAG */

/* All of an event's data, its head included: what TPM2_PCR_Event() takes (TPM 2.0 part 2, 10.4.3). */
#define MEASURED_EVENT_MAX 1024u

/* A longer string, or one that begins with "sha256:", is measured as that and its SHA-256 in 64 hexadecimal digits. */
#define MEASURED_STRING_MAX 900u

/* TCG_PCClientTaggedEvent. Little-endian, as all here. */
struct measured_head {
	uint32_t id; /* enum measured_id */
	uint32_t bytes;
};

/* In this order: those below MEASURED_KEYS in MEASURED_PCR_LOADED, the others in MEASURED_PCR_KEYS. */
enum measured_id {
	MEASURED_MONITOR = 0x4e480001, /* text: name, version, backend */
	MEASURED_OPTIONS = 0x4e480002, /* the monitor's command line: a string */
	MEASURED_TBOOT = 0x4e480003,   /* u32: enum tboot_state */
	MEASURED_PLATFORM = 0x4e480004,
	MEASURED_MODULE = 0x4e480005,     /* each: L1's kernel is number 0 */
	MEASURED_CMDLINE = 0x4e480006,    /* each, behind its module: u32 number, then a string */
	MEASURED_LOADED_END = 0x4e48000f, /* nothing: no more of the monitor's */
	MEASURED_KEYS = 0x4e480010,
	MEASURED_KEYS_END = 0x4e48001f,
};

struct measured_platform {
	uint32_t iommus; /* that the monitor drives */
	uint32_t dma;    /* DMA_ flags (monitor/hypercall.h) */
	uint32_t open;   /* PLATFORM_OPEN_ flags */
};

struct measured_module {
	uint32_t number;
	uint32_t zero;
	uint64_t bytes;
	uint8_t sha256[32];
};

/* Public halves, made at this boot. */
struct measured_keys {
	uint8_t receive[32]; /* X25519 (RFC 7748) */
	uint8_t sign[64];    /* P-256: X and Y, big-endian */
};

#endif
