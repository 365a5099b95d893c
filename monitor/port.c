/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/port.h"

#include "monitor/arch.h"
#include "monitor/hw.h"
#include "monitor/log.h"
#include "monitor/platform.h"

static struct {
	unsigned int count;
	struct port_rule rule[PORT_RULES_MAX];
} ports;

void port_init(void)
{
	port_map_init();
	ports.count = 0;
}

int port_add(const struct port_rule *rule)
{
	bool added = false;

	if (ports.count == PORT_RULES_MAX)
		return ERR_NOMEM;
	for (uint32_t p = rule->first; p <= rule->last; p++) {
		added |= !port_exits((uint16_t)p, 1);
		port_map_close((uint16_t)p);
	}
	if (!added)
		return ERR_PERM;
	ports.rule[ports.count++] = *rule;
	return 0;
}

/* The rule of the first port that has one. Only such accesses come here. */
static const struct port_rule *find(const struct exit *exit)
{
	for (uint32_t p = exit->port; p < (uint32_t)exit->port + exit->size; p++)
		for (unsigned int i = 0; i < ports.count; i++)
			if (p >= ports.rule[i].first && p <= ports.rule[i].last)
				return &ports.rule[i];
	return NULL;
}

/* Registers are served as they are made to be used: half of one, or two at once, is not understood. */
static bool fits(const struct port_rule *r, const struct exit *exit)
{
	if (r->size)
		return exit->port == r->first && exit->size == r->size;
	return exit->port >= r->first && (uint32_t)exit->port + exit->size - 1 <= r->last;
}

static void do_out(struct cpu *cpu, const struct port_rule *r, const struct exit *exit)
{
	uint32_t mask = UINT32_MAX >> (32 - 8 * exit->size);
	struct port_write w = {exit->port, exit->size, (uint32_t)cpu->regs.r[RAX] & mask};
	enum port_answer answer = PORT_REFUSE;

	if (r->write && fits(r, exit))
		answer = r->write(cpu, &w);
	if (answer == PORT_PASS)
		arch_out(w.port, w.size, w.value);
	else if (answer == PORT_REFUSE)
		platform_refused(r->name, PLATFORM_PORT, w.port, w.value);
}

static void do_in(struct cpu *cpu, const struct port_rule *r, const struct exit *exit)
{
	uint64_t mask = UINT32_MAX >> (32 - 8 * exit->size);
	uint64_t *rax = &cpu->regs.r[RAX];
	uint64_t value = UINT32_MAX;

	if (r->read && fits(r, exit))
		value = r->read(exit->port, exit->size);
	else if (!r->read)
		value = arch_in(exit->port, exit->size);
	/* Of 4 bytes the upper half of the register becomes 0 (SDM vol. 1, 3.4.1.1). */
	*rax = (exit->size == 4 ? 0 : *rax & ~mask) | (value & mask);
}

void port_access(struct cpu *cpu, const struct exit *exit)
{
	const struct port_rule *r = find(exit);

	if (!r || exit->string) {
		log_provoked("refused: %s port %x at rip %lx",
			     exit->string ? "a string to or from" : "an exit nobody asked for,",
			     exit->port, cpu->regs.rip);
		hw_host_inject(cpu, VECTOR_GP, 0);
		return;
	}
	if (exit->in)
		do_in(cpu, r, exit);
	else
		do_out(cpu, r, exit);
	exit_complete(cpu);
}
