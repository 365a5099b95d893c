/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/platform.h"

#include "ept/lock.h"
#include "monitor/log.h"

static struct {
	struct lock lock;
	struct platform_report report;
} platform;

void platform_refused(const char *name, enum platform_space space, uint64_t address, uint64_t value)
{
	static const char *const where[] = {
		[PLATFORM_PORT] = "port", [PLATFORM_PCI] = "PCI", [PLATFORM_MEMORY] = "memory"};

	lock_take(&platform.lock);
	platform.report.refused++;
	platform.report.space = space;
	platform.report.address = address;
	platform.report.value = value;
	lock_drop(&platform.lock);
	log_provoked("refused: %s (%s %lx), written %lx", name, where[space], address, value);
}

void platform_open(uint64_t what)
{
	platform.report.open |= what;
}

struct platform_report platform_report(void)
{
	struct platform_report report;

	lock_take(&platform.lock);
	report = platform.report;
	lock_drop(&platform.lock);
	return report;
}
