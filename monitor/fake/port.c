/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/fake/port.h"

#include <string.h>

#include "monitor/arch.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define FUNCTIONS 256
#define CONFIG_SIZE 4096

uint8_t fake_ports[65536 + 4];

static struct {
	unsigned int outs;
	struct fake_out last;
	uint32_t address;
	uint16_t stream_port, timer_port;
	uint64_t timer_ticks;
	const char *stream;
	size_t streamed;
	uint8_t pci[FUNCTIONS][CONFIG_SIZE];
} m;

void fake_ports_reset(void)
{
	memset(fake_ports, 0, sizeof(fake_ports));
	memset(&m, 0, sizeof(m));
}

unsigned int fake_outs(void)
{
	return m.outs;
}

struct fake_out fake_last_out(void)
{
	return m.last;
}

uint8_t *fake_pci(uint8_t devfn)
{
	return m.pci[devfn];
}

void fake_port_stream(uint16_t port, const char *bytes)
{
	m.stream_port = port;
	m.stream = bytes;
}

void fake_port_timer(uint16_t port, uint64_t ticks)
{
	m.timer_port = port;
	m.timer_ticks = ticks;
}

/* Where an access to the data ports goes, or NULL. Bits 27:24 are ignored. */
static uint8_t *config(uint16_t port)
{
	uint8_t *function = m.pci[m.address >> 8 & 0xff];

	if (!(m.address >> 31) || m.address >> 16 & 0xff || !(function[0] | function[1]))
		return NULL;
	return &function[(m.address & 0xff) | (port & 3)];
}

static void out(uint16_t port, unsigned int size, uint32_t value)
{
	uint8_t *at = &fake_ports[port];

	if (port == PCI_ADDRESS && size == 4) {
		m.address = value;
		return;
	}
	m.outs++;
	m.last = (struct fake_out){port, (uint8_t)size, value};
	if (port >= PCI_DATA && port < PCI_DATA + 4)
		at = config(port);
	if (at)
		memcpy(at, &value, size);
}

static uint32_t in(uint16_t port, unsigned int size)
{
	const uint8_t *at = &fake_ports[port];
	uint32_t value = UINT32_MAX;

	if (port == PCI_ADDRESS && size == 4)
		return m.address;
	if (m.timer_ticks && port == m.timer_port && size == 4)
		return (uint32_t)(arch_rdtsc() / m.timer_ticks) & 0xffffff;
	if (m.stream && port == m.stream_port && size == 1)
		return (uint8_t)m.stream[m.streamed++ % strlen(m.stream)];
	if (port >= PCI_DATA && port < PCI_DATA + 4)
		at = config(port);
	if (at)
		memcpy(&value, at, size);
	return value;
}

unsigned int fake_port_insn(const uint8_t *insn, uint16_t dx, uint64_t *rax)
{
	unsigned int prefix = insn[0] == 0x66;
	uint8_t op = insn[prefix];
	unsigned int size = !(op & 1) ? 1 : prefix ? 2 : 4;
	uint64_t mask = UINT32_MAX >> (32 - 8 * size);
	uint16_t port = op & 8 ? dx : insn[prefix + 1];

	if ((op & 0xf4) != 0xe4)
		return 0;
	if (op & 2)
		out(port, size, (uint32_t)(*rax & mask));
	else
		*rax = (size == 4 ? 0 : *rax & ~mask) | (in(port, size) & mask);
	return prefix + (op & 8 ? 1 : 2);
}
