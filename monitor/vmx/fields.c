/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/lib.h"
#include "monitor/vmx/vmx.h"

#define SLOT_INDEX_MAX 32u
/* Width, type and index of an encoding, packed: every field above has a slot of its own. */
#define SLOT(e) ((FIELD_WIDTH(e) << 2 | FIELD_TYPE(e)) * SLOT_INDEX_MAX + (((e) >> 1) & 0x1ff))
#define SLOT_COUNT (16 * SLOT_INDEX_MAX)

const uint16_t field_encoding[FIELD_COUNT] = {
#define X(name, encoding, kind) encoding,
	VMCS_FIELDS(X)
#undef X
};

static const uint8_t kind_of[FIELD_COUNT] = {
#define X(name, encoding, kind) kind,
	VMCS_FIELDS(X)
#undef X
};

static const uint8_t slot[SLOT_COUNT] = {
#define X(name, encoding, kind) [SLOT(encoding)] = F_##name + 1,
	VMCS_FIELDS(X)
#undef X
};

struct field_set fields_of[KIND_COUNT], fields_copied, fields_passed, fields_checked,
	fields_host_checked;
static struct field_set missing; /* on one CPU at least */

/* What is L1's to choose for an isolated guest (R17). */
static const uint8_t passed[] = {F_VIRTUAL_APIC, F_APIC_ACCESS, F_TPR_THRESHOLD, F_PLE_GAP,
				 F_PLE_WINDOW};

static void unite(struct field_set *all, enum field_kind kind)
{
	for (size_t w = 0; w < ARRAY_SIZE(all->bits); w++)
		all->bits[w] |= fields_of[kind].bits[w];
}

void fields_init(bool (*exists)(uint64_t encoding))
{
	memset(fields_of, 0, sizeof(fields_of));
	for (unsigned int f = 0; f < FIELD_COUNT; f++) {
		if (!exists(field_encoding[f]))
			set_add(&missing, f);
		if (!set_has(&missing, f))
			set_add(&fields_of[kind_of[f]], f);
	}
	fields_copied = fields_of[GUEST];
	unite(&fields_copied, COLD);
	unite(&fields_copied, COPY);
	memset(&fields_passed, 0, sizeof(fields_passed));
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		if (!set_has(&missing, passed[i]))
			set_add(&fields_passed, passed[i]);
	fields_checked = fields_of[COPY];
	unite(&fields_checked, MERGE);
	unite(&fields_checked, LIST);
	fields_host_checked = fields_of[HOST];
	set_drop(&fields_host_checked, F_HOST_RSP);
	set_add(&fields_host_checked, F_EXIT_CONTROLS); /* PAT and EFER are loaded or not */
}

void field_list(struct field_list *list, const struct field_set *set)
{
	list->count = 0;
	for (int i = -1; (i = set_next(set, i)) >= 0;)
		list->f[list->count++] = (uint8_t)i;
}

bool field_exists(unsigned int field)
{
	return !set_has(&missing, field);
}

int field_find(uint64_t encoding)
{
	uint64_t e = encoding & ~(uint64_t)FIELD_HIGH;
	unsigned int index = (e >> 1) & 0x1ff;

	/* Only 64-bit fields have an upper half (SDM vol. 3, 25.11.2). */
	if (encoding > 0x7fff || index >= SLOT_INDEX_MAX ||
	    ((encoding & FIELD_HIGH) && FIELD_WIDTH(encoding) != 1) || !slot[SLOT(e)] ||
	    field_encoding[slot[SLOT(e)] - 1] != e || !field_exists(slot[SLOT(e)] - 1u))
		return -1;
	return slot[SLOT(e)] - 1;
}

uint64_t field_set_value(uint32_t encoding, uint64_t old, uint64_t value)
{
	switch (FIELD_WIDTH(encoding)) {
	case 0:
		return (uint16_t)value;
	case 1:
		return encoding & FIELD_HIGH ? (uint32_t)old | value << 32 : value;
	case 2:
		return (uint32_t)value;
	default:
		return value;
	}
}
