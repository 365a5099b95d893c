/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/layout.h"

#include "monitor/lib.h"

#define HVM_INFO GPA(0x9f800)
#define FRAMES(n) ((uint64_t)(n) << PAGE_SHIFT)

/* Where Xen's builder, hvmloader and QEMU put things. */
#define RAM_MIN MIB              /* hvmloader is from there on */
#define FIRMWARE 0xfc000000u     /* hvmloader's own pages: ACPI, SMBIOS; above the PCI hole */
#define SERVER_PAGES 0xfeff0000u /* 8 pages, then the 8 special ones */
#define SPECIAL_PAGES 0xfeff8000u
#define IDENT_PT 0xfeffe000u
#define SPECIAL_END 0xff000000u
#define BLOCKS_SPAN GIB

/* Xen's public interface, hvm/hvm_info_table.h. */
struct hvm_info {
	char signature[8];
	uint32_t length;
	uint8_t checksum; /* makes the sum of all bytes 0 */
	uint8_t apic_mode;
	uint32_t vcpus;
	uint32_t low_end; /* in frames, as the next two */
	uint32_t special_start;
	uint32_t high_end; /* 0: no RAM above 4 GiB */
	uint8_t online[16];
};
_Static_assert(sizeof(struct hvm_info) == 48, "as Xen 4.17 lays it out");

/* NULL, or what is wrong with it. */
static const char *check(const struct hvm_info *info)
{
	const uint8_t *byte = (const uint8_t *)info;
	uint8_t sum = 0;

	if (info->length != sizeof(*info))
		return "hvm_info has another length than Xen 4.17's";
	for (size_t i = 0; i < sizeof(*info); i++)
		sum = (uint8_t)(sum + byte[i]);
	if (sum)
		return "hvm_info has a wrong checksum";
	if (FRAMES(info->low_end) < RAM_MIN || FRAMES(info->low_end) > FIRMWARE)
		return "hvm_info: RAM ends where it can not";
	if (info->high_end && FRAMES(info->high_end) < 4 * GIB)
		return "hvm_info: high RAM ends below 4 GiB";
	if (FRAMES(info->special_start) != SERVER_PAGES)
		return "hvm_info: the special pages are not where Xen 4.17 has them";
	return NULL;
}

static void fill(struct guest_layout *out)
{
	const bool hvm = out->hvm;
	const uint64_t low = out->low_end.a, high = out->high_end.a;
	const struct {
		enum layout_reason reason;
		bool there;
		uint64_t start, end;
	} row[] = {
		/* The VGA window: registers and screen of a device that L1 emulates; never RAM. */
		{LAYOUT_VGA, hvm, 0xa0000, 0xc0000},
		/*
		 * Low RAM's end to the firmware's pages: QEMU's video memory, first at the end of
		 * RAM, then where the guest's firmware puts the BAR; BARs of devices. The guest
		 * treats all of it as device memory.
		 */
		{LAYOUT_PCI, hvm, low, FIRMWARE},
		/* I/O APIC, HPET, TPM: registers that L1 emulates. Mailboxes of disks (iodecrypt/mailbox.h). */
		{LAYOUT_CHIPSET, hvm, 0xfec00000, 0xfee00000},
		/*
		 * The local APIC: emulated, or a page of Xen's that the hardware puts the virtual
		 * APIC's registers in the place of: its bytes are never read.
		 */
		{LAYOUT_APIC, true, 0xfee00000, 0xfee01000},
		/*
		 * Rings to dom0: of device models, vm_event, xenstore. Both ends take the other for
		 * hostile, or should; no more is in them than is said to dom0.
		 */
		{LAYOUT_SPECIAL, true, hvm ? SERVER_PAGES : SPECIAL_PAGES, IDENT_PT},
		/* Not the page between, of page tables: it is private. Then the console's ring. */
		{LAYOUT_CONSOLE, true, IDENT_PT + PAGE_SIZE, SPECIAL_END},
		/*
		 * Where QEMU's blocks (video memory, option ROMs) begin if there is RAM above 4
		 * GiB. Otherwise that is private: hvmloader may move RAM there.
		 */
		{LAYOUT_BLOCKS, hvm && high, high, high + BLOCKS_SPAN},
	};

	_Static_assert(ARRAY_SIZE(row) <= GUEST_TABLE_SHARED_MAX, "room for all");
	out->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		if (!row[i].there || row[i].start == row[i].end)
			continue;
		out->reason[out->count] = row[i].reason;
		out->shared[out->count++] = (struct gpa_range){GPA(row[i].start), GPA(row[i].end)};
	}
}

int layout_find(layout_read_fn read, void *context, struct guest_layout *out, const char **why)
{
	struct hvm_info info = {0};
	int err = read(context, HVM_INFO, &info, sizeof(info));

	*why = "hvm_info can not be read";
	if (err && err != ERR_NOENT)
		return err;
	*out = (struct guest_layout){.hvm = !memcmp(info.signature, "HVM INFO", 8)};
	if (out->hvm) {
		*why = check(&info);
		if (*why)
			return ERR_INVAL;
		out->vcpus = info.vcpus;
		out->low_end = GPA(FRAMES(info.low_end));
		out->high_end = GPA(FRAMES(info.high_end));
	}
	fill(out);
	return 0;
}
