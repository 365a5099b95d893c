/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PVH guest that is up at once: says so on its PV console, then waits for a key: 'r' reboots,
 * 'p' powers off. Numbers are Xen's public interface (xen/include/public: xen.h, sched.h,
 * event_channel.h, hvm/hvm_op.h, hvm/params.h, io/console.h).
 */
enum { SCHED_OP = 29, EVENT_CHANNEL_OP = 32, HVM_OP = 34 };
enum { SCHEDOP_YIELD = 0, SCHEDOP_SHUTDOWN = 2, EVTCHNOP_SEND = 4, HVMOP_GET_PARAM = 1 };
enum { PARAM_CONSOLE_PFN = 17, PARAM_CONSOLE_EVTCHN = 18 };
enum { SHUTDOWN_POWEROFF = 0, SHUTDOWN_REBOOT = 1 };
enum { DOMID_SELF = 0x7ff0, CPUID_XEN = 0x40000000 };

struct console {
	char in[1024], out[2048];
	unsigned int in_cons, in_prod, out_cons, out_prod;
};

struct param {
	unsigned short domid;
	unsigned int index;
	unsigned long long value;
} __attribute__((aligned(8)));

/* Entry point for Xen's domain builder: 32-bit protected mode, flat, no paging. */
__asm__(".section .note.Xen, \"a\", @note\n"
	".long 4, 4, 18 /* PHYS32_ENTRY */\n"
	".asciz \"Xen\"\n"
	".long start\n"
	".text\n"
	"start: movl $stack_end, %esp\n"
	"	call tiny\n"
	".bss\n"
	".balign 4096\n"
	"hypercall_page: .skip 4096\n"
	"stack: .skip 4096\n"
	"stack_end:\n"
	".text\n");
extern char hypercall_page[];

static int hypercall(unsigned int call, unsigned int op, void *arg)
{
	int ret;

	__asm__ volatile("call *%[entry]"
			 : "=a"(ret), "+b"(op), "+c"(arg)
			 : [entry] "r"(hypercall_page + call * 32)
			 : "memory");
	return ret;
}

static void find_hypercalls(void)
{
	unsigned int leaf = CPUID_XEN + 2;
	unsigned int pages, msr, c, d;

	__asm__ volatile("cpuid" : "=a"(pages), "=b"(msr), "=c"(c), "=d"(d) : "0"(leaf), "2"(0));
	__asm__ volatile("wrmsr" ::"c"(msr), "a"(hypercall_page), "d"(0) : "memory");
}

static unsigned int param(unsigned int index)
{
	struct param p = {.domid = DOMID_SELF, .index = index};

	hypercall(HVM_OP, HVMOP_GET_PARAM, &p);
	return (unsigned int)p.value;
}

void tiny(void)
{
	static const char text[] = "LAB-GUEST up PVH\n";
	volatile struct console *con;
	unsigned int port, reason;

	find_hypercalls();
	con = (volatile struct console *)(param(PARAM_CONSOLE_PFN) << 12);
	if (!con)
		return;
	port = param(PARAM_CONSOLE_EVTCHN);
	for (unsigned int i = 0; text[i]; i++)
		con->out[(con->out_prod + i) % sizeof(con->out)] = text[i];
	__asm__ volatile("" ::: "memory"); /* the text before its length; x86 keeps the order */
	con->out_prod += sizeof(text) - 1;
	hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, &port);

	for (;;) {
		while (con->in_cons == con->in_prod)
			hypercall(SCHED_OP, SCHEDOP_YIELD, 0);
		reason = (unsigned char)con->in[con->in_cons % sizeof(con->in)];
		con->in_cons++;
		if (reason != 'r' && reason != 'p')
			continue;
		reason = reason == 'r' ? SHUTDOWN_REBOOT : SHUTDOWN_POWEROFF;
		hypercall(SCHED_OP, SCHEDOP_SHUTDOWN, &reason);
	}
}
