/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/edu.h"

#include "lib/cpu.h"
#include "lib/test.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define EDU_ID 0x11e81234u /* device and vendor */
#define PCI_COMMAND 0x04
#define PCI_BAR0 0x10
#define COMMAND_MEMORY_MASTER 6u

#define DMA_FROM 0x80
#define DMA_TO 0x88
#define DMA_COUNT 0x90
#define DMA_COMMAND 0x98
#define DMA_RUN 1u
#define DMA_TO_MEMORY 2u
#define BUFFER 0x40000u /* in the device */

static uint64_t registers;

static void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static uint32_t config_read(unsigned device, unsigned at)
{
	outl(CONFIG_ADDRESS, 0x80000000u | device << 11 | at);
	return inl(CONFIG_DATA);
}

static void config_write(unsigned device, unsigned at, uint32_t v)
{
	outl(CONFIG_ADDRESS, 0x80000000u | device << 11 | at);
	outl(CONFIG_DATA, v);
}

bool edu_present(void)
{
	for (unsigned device = 0; !registers && device < 32; device++) {
		if (config_read(device, 0) != EDU_ID)
			continue;
		registers = config_read(device, PCI_BAR0) & ~15u;
		config_write(device, PCI_COMMAND,
			     (config_read(device, PCI_COMMAND) & 0xffff) | COMMAND_MEMORY_MASTER);
	}
	return registers;
}

static volatile uint64_t *reg(unsigned at)
{
	return (volatile uint64_t *)(registers + at);
}

static void begin(uint64_t from, uint64_t to, size_t n, uint64_t direction)
{
	*reg(DMA_FROM) = from;
	*reg(DMA_TO) = to;
	*reg(DMA_COUNT) = n;
	*reg(DMA_COMMAND) = DMA_RUN | direction;
}

bool edu_wait(void)
{
	return WAIT_FOR(!(*reg(DMA_COMMAND) & DMA_RUN));
}

bool edu_write_later(uint64_t to, const void *from, size_t n)
{
	begin((uint64_t)from, BUFFER, n, 0);
	if (!edu_wait())
		return false;
	begin(BUFFER, to, n, DMA_TO_MEMORY);
	return true;
}

bool edu_write(uint64_t to, const void *from, size_t n)
{
	return edu_write_later(to, from, n) && edu_wait();
}

bool edu_read(void *to, uint64_t from, size_t n)
{
	begin(from, BUFFER, n, 0);
	if (!edu_wait())
		return false;
	begin(BUFFER, (uint64_t)to, n, DMA_TO_MEMORY);
	return edu_wait();
}
