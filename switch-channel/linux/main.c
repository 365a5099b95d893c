// SPDX-License-Identifier: GPL-2.0
/* Loading, and ports from the module's parameters: docs/nether-vif.md. */
#include <linux/module.h>
#include <linux/slab.h>

#include "switch-channel/linux/main.h"
#include "switch-channel/linux/port.h"

#ifndef CONFIG_X86_64
#error "the monitor takes calls in 64-bit mode only"
#endif

#define PORTS_MAX CHANNEL_ACCEPTS_MAX

bool nv_bells;
struct workqueue_struct *nv_work;

static struct nv_port *ports[PORTS_MAX]; /* of the parameters */
static u32 port_count;

/* --- parameters ---------------------------------------------------------------------------------------- */

#define KEY(key)                  \
	static char *param_##key; \
	module_param_named(key, param_##key, charp, 0444);
NV_KEYS(KEY)
#undef KEY
MODULE_PARM_DESC(role, "offer (default) or accept");
MODULE_PARM_DESC(
	service,
	"service's name, up to 16 characters; without it there is no port of the parameters");
MODULE_PARM_DESC(peer, "digest:HEX, tenant:HEX, host (to offer), or any (to accept)");
MODULE_PARM_DESC(pages, "pages that are offered, 16..2048 (512)");
MODULE_PARM_DESC(queues, "pairs of rings, 1..8 (1)");
MODULE_PARM_DESC(order, "log2 of a ring's frames, 4..14 (0: fitting)");
MODULE_PARM_DESC(mode, "adaptive (default), periodic or busy");
MODULE_PARM_DESC(period_us, "microseconds between two looks, or the first pause of adaptive (50)");
MODULE_PARM_DESC(budget, "frames in a period of periodic (256)");
MODULE_PARM_DESC(busy_us, "adaptive: microseconds of polling after the last frame (50)");
MODULE_PARM_DESC(sleep_us, "adaptive: the longest pause without a bell (4000)");
MODULE_PARM_DESC(bell, "1: sleep until the peer rings, where there are event channels (1)");
MODULE_PARM_DESC(bell_us, "the shortest time between two bells (20)");
MODULE_PARM_DESC(violations, "close after so many violations of the ring's rules; 0: never (100)");
MODULE_PARM_DESC(retry_ms, "milliseconds until the next offer or acceptance (1000)");
MODULE_PARM_DESC(close_stalled,
		 "1: close a channel without heartbeat; 0: only the carrier goes (0)");
MODULE_PARM_DESC(mac, "the interface's address (random)");

static char *param_name;
module_param_named(name, param_name, charp, 0444);
MODULE_PARM_DESC(name, "the interface's name (nether0, ..)");

static char *param_allow;
module_param_named(allow, param_allow, charp, 0444);
MODULE_PARM_DESC(allow, "to accept, instead of name and peer: NAME=PEER,NAME=PEER,..");

/* The parameter may start a scan. Under the lock of the module's parameters, which scan_set() has. */
static bool scannable;

static void allow_scans(bool allow)
{
	kernel_param_lock(THIS_MODULE);
	scannable = allow;
	kernel_param_unlock(THIS_MODULE);
}

/* The file is there before nv_init(), and until after nv_exit(). */
static int scan_set(const char *value, const struct kernel_param *param)
{
	if (scannable)
		nv_scan_now();
	return 0;
}

static const struct kernel_param_ops scan_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = scan_set,
};
module_param_cb(scan, &scan_ops, NULL, 0200);
MODULE_PARM_DESC(scan, "written: look for offers now");

static int take_key(struct nv_config *config, const char *key, const char *value)
{
	int error = value ? nv_config_set(config, key, value) : 0;

	if (error)
		pr_err("nether-vif: %s=%s: no such value\n", key, value);
	return error;
}

static int take_name(struct nv_config *config, const char *name)
{
	if (!dev_valid_name(name)) {
		pr_err("nether-vif: %s: no name for an interface\n", name);
		return -EINVAL;
	}
	strscpy(config->name, name, IFNAMSIZ);
	return 0;
}

static int add_port(const struct nv_config *config)
{
	struct nv_port *port;
	int error = nv_config_check(config);

	if (error)
		return error;
	if (port_count == PORTS_MAX)
		return -ENOSPC;
	port = nv_port_add(config);
	if (IS_ERR(port)) {
		pr_err("nether-vif: %s: no interface: error %ld\n", config->name, PTR_ERR(port));
		return PTR_ERR(port);
	}
	ports[port_count++] = port;
	return 0;
}

/* NAME=PEER,NAME=PEER,..: a port for each. */
static int add_allowed(const struct nv_config *common, const char *allow)
{
	char *text = kstrdup(allow, GFP_KERNEL), *rest = text, *peer, *name;
	int error = text ? 0 : -ENOMEM;

	while (!error && (peer = strsep(&rest, ","))) {
		struct nv_config config = *common;

		name = strsep(&peer, "=");
		error = peer ? take_name(&config, name) : -EINVAL;
		if (!error)
			error = take_key(&config, "peer", peer);
		if (!error)
			error = add_port(&config);
	}
	kfree(text);
	return error;
}

static int add_ports(void)
{
	struct nv_config config;
	int error = 0;

	if (!param_service)
		return 0;
	nv_config_init(&config);
#define KEY(key)    \
	if (!error) \
		error = take_key(&config, #key, param_##key);
	NV_KEYS(KEY)
#undef KEY
	if (!error && param_name)
		error = take_name(&config, param_name);
	if (error)
		return error;
	if (!param_allow)
		return add_port(&config);
	if (!config.accept || param_peer || param_name) {
		pr_err("nether-vif: allow= goes with role=accept, without peer= and name=\n");
		return -EINVAL;
	}
	return add_allowed(&config, param_allow);
}

static void remove_ports(void)
{
	while (port_count)
		nv_port_remove(ports[--port_count]);
}

/* --- the module ------------------------------------------------------------------------------------------ */

static const struct part {
	int (*start)(void);
	void (*stop)(void);
} parts[] = {
	{nv_device_start, nv_device_stop},
	{nv_power_start, nv_power_stop},
	{nv_configfs_start, nv_configfs_stop},
	{add_ports, remove_ports},
};

static void stop_parts(size_t n)
{
	while (n)
		parts[--n].stop();
}

/* When no port is left. */
static void stop_work(void)
{
	allow_scans(false);
	nv_scan_stop();
	destroy_workqueue(nv_work);
}

static int find_monitor(void)
{
	int error = nv_channel_start();

	if (error == -ENODEV)
		pr_err("nether-vif: no Nethervisor below this guest (or the guest is not isolated): not loaded\n");
	else if (error)
		pr_err("nether-vif: the monitor below this guest has channels of another kind: error %d\n",
		       error);
	return error;
}

static int __init nv_init(void)
{
	int error = find_monitor();
	size_t i;

	if (error)
		return error;
	nv_bells = !nv_bell_start();
	nv_work = alloc_workqueue("nether-vif", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!nv_work) {
		nv_channel_stop();
		return -ENOMEM;
	}
	nv_scan_now();
	allow_scans(true);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		error = parts[i].start();
		if (!error)
			continue;
		if (parts[i].start == add_ports)
			remove_ports();
		stop_parts(i);
		stop_work();
		nv_channel_stop();
		return error;
	}
	pr_info("nether-vif: channels of Nethervisor%s%s\n",
		nv_channel_accepts() ? "" : ", to offer only", nv_bells ? ", with bells" : "");
	return 0;
}

static void __exit nv_exit(void)
{
	stop_parts(ARRAY_SIZE(parts));
	stop_work();
	nv_channel_stop();
}

module_init(nv_init);
module_exit(nv_exit);

MODULE_DESCRIPTION("Network interfaces over channels of Nethervisor");
MODULE_LICENSE("GPL");
