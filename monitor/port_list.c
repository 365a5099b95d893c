/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that exit on every PC, and those of QEMU's machines. What ACPI's tables and the chipset name
 * is added by power.c and chipset.c.
 */
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/pci_config.h"
#include "monitor/port.h"
#include "monitor/reset.h"

/* The keyboard controller's commands (8042): the data sheets of its makers agree on these. */
#define KBC_WRITE_OUTPUT 0xd1
#define KBC_A20_OFF 0xdd
#define KBC_PULSE 0xf0 /* with a 0 in bit 0: the reset line */
#define OUTPUT_RESET 0x01
#define FAST_RESET 0x01 /* port 92h */
#define FAST_A20 0x02

/* QEMU, docs/specs/fw_cfg.txt: selector and data; an access by DMA, all in big-endian order. */
#define FW_CFG_SELECT 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_DMA_HIGH 0x514
#define FW_CFG_DMA_LOW 0x518
#define FW_CFG_SIGNATURE 0
#define FW_CFG_ERROR 0x01000000u

/* The next byte for port 60h is for the output port. A mere convenience: that command is never passed. */
static bool output_next;
static uint32_t dma_high;

/*
 * With A20 masked, addresses that differ in bit 20 are the same memory, whatever a nested table says.
 */
static enum port_answer kbc_command(struct cpu *cpu, const struct port_write *w)
{
	uint8_t command = (uint8_t)w->value;

	output_next = command == KBC_WRITE_OUTPUT;
	if (output_next)
		return PORT_DONE;
	if ((command & KBC_PULSE) == KBC_PULSE && !(command & OUTPUT_RESET))
		reset_machine();
	return command == KBC_A20_OFF ? PORT_REFUSE : PORT_PASS;
}

static enum port_answer kbc_data(struct cpu *cpu, const struct port_write *w)
{
	if (!output_next)
		return PORT_PASS;
	output_next = false;
	if (!(w->value & OUTPUT_RESET))
		reset_machine();
	return w->value & FAST_A20 ? PORT_DONE : PORT_REFUSE;
}

/* Its bit 0 is an INIT on some machines, which would leave more in the CPU than a reset does. */
static enum port_answer port_92(struct cpu *cpu, const struct port_write *w)
{
	if (w->value & FAST_RESET)
		reset_machine();
	return w->value & FAST_A20 ? PORT_PASS : PORT_REFUSE;
}

/*
 * The address of a request to the DMA engine; the low half starts it. The engine would write wherever
 * it is told, so it never starts, and L1's driver finds an error in its request.
 */
static enum port_answer fw_cfg_dma(struct cpu *cpu, const struct port_write *w)
{
	uint32_t value = __builtin_bswap32(w->value), *request;

	if (w->size != sizeof(uint32_t) || w->port % sizeof(uint32_t))
		return PORT_REFUSE;
	if (w->port == FW_CFG_DMA_HIGH) {
		dma_high = value;
		return PORT_DONE;
	}
	request = phys_host_rw(HPA((uint64_t)dma_high << 32 | value), sizeof(*request));
	if (request)
		__builtin_memcpy(request, &(uint32_t){FW_CFG_ERROR}, sizeof(*request));
	return PORT_REFUSE;
}

static const struct port_rule everywhere[] = {
	{0x60, 0x60, 1, "keyboard data", kbc_data, NULL},
	{0x64, 0x64, 1, "keyboard command", kbc_command, NULL},
	{0x92, 0x92, 1, "port 92h", port_92, NULL},
	{0xcf8, 0xcfb, 0, "PCI address", pci_address_write, pci_address_read},
	{0xcfc, 0xcff, 0, "PCI data", pci_data_write, pci_data_read},
	/* No IOMMU is between these and memory. Only floppy drives and parallel ports use them. */
	{0x00, 0x0f, 0, "ISA DMA", NULL, NULL},
	{0xc0, 0xdf, 0, "ISA DMA", NULL, NULL},
};

static const struct port_rule qemu[] = {
	{FW_CFG_DMA_HIGH, FW_CFG_DMA_LOW + 3, 0, "fw_cfg DMA", fw_cfg_dma, NULL},
	/* kvmvapic: maps and writes memory at addresses that it is told. */
	{0x7e, 0x7f, 0, "virtual APIC", NULL, NULL},
};

static bool has_fw_cfg(void)
{
	static const char signature[4] = {'Q', 'E', 'M', 'U'};
	bool same = true;

	arch_out(FW_CFG_SELECT, 2, FW_CFG_SIGNATURE);
	for (unsigned int i = 0; i < sizeof(signature); i++)
		same &= arch_inb(FW_CFG_DATA) == (uint8_t)signature[i];
	return same;
}

static int add(const struct port_rule *rules, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = port_add(&rules[i]);
	return err;
}

int port_list(void)
{
	int err;

	output_next = false;
	dma_high = 0;
	err = add(everywhere, ARRAY_SIZE(everywhere));
	return err || !has_fw_cfg() ? err : add(qemu, ARRAY_SIZE(qemu));
}
