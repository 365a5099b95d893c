/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/mem.h"
#include "monitor/port.h"

static uint8_t *map;

void port_map_init(void)
{
	map = mem_pages(PORT_MAP_PAGES);
}

hpa_t port_map(void)
{
	return mem_hpa(map);
}

void port_map_close(uint16_t port)
{
	map[port / 8] |= (uint8_t)(1u << port % 8);
}

bool port_exits(uint16_t port, unsigned int size)
{
	for (uint32_t p = port; p < (uint32_t)port + size && p <= UINT16_MAX; p++)
		if (map && map[p / 8] >> p % 8 & 1)
			return true;
	return false;
}
