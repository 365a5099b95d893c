/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/tpm2.h"

#include "monitor/boot/acpi.h"
#include "monitor/lib.h"

/* 8.3; the last two come with version 4 of the table, and only with some firmware. */
struct body {
	uint16_t platform;
	uint16_t reserved;
	uint64_t control;
	uint32_t start_method;
	uint8_t parameters[12];
	uint32_t log_bytes;
	uint64_t log_address;
} __attribute__((packed));

#define SHORT_BYTES offsetof(struct body, parameters)

_Static_assert(sizeof(struct body) == 40, "TPM2");

/* Table 8: how a command is started. */
#define START_FIFO 6u
#define START_CRB 7u

int tpm2_parse(struct tpm2 *tpm2, const struct boot_info *info, const char **why)
{
	struct body body = {.control = 0};
	struct acpi_table t;
	uint32_t bytes;
	int err;

	memset(tpm2, 0, sizeof(*tpm2));
	err = acpi_find(&t, info, "TPM2", why);
	if (err)
		return err;
	bytes = t.length - (uint32_t)sizeof(struct acpi_header);
	if (bytes < SHORT_BYTES)
		return boot_refuse(ERR_INVAL, why, "ACPI's TPM2 table is too short");
	bytes = bytes < sizeof(body) ? SHORT_BYTES : sizeof(body);
	if (boot_read(&body, HPA(t.at.a + sizeof(struct acpi_header)), bytes))
		return boot_refuse(ERR_FAULT, why, "an ACPI table lies outside of memory");
	if (body.start_method != START_FIFO)
		tpm2->control = body.control;
	if (body.start_method != START_FIFO && body.start_method != START_CRB)
		return boot_refuse(ERR_NOSYS, why,
				   "ACPI names another start method than FIFO's or CRB's");
	if (body.start_method == START_CRB && !body.control)
		return boot_refuse(ERR_INVAL, why, "ACPI's TPM2 table names no control area");
	if (body.log_address && body.log_bytes && body.log_address < UINT64_MAX - body.log_bytes)
		tpm2->event_log =
			(struct range){body.log_address, body.log_address + body.log_bytes};
	return 0;
}
