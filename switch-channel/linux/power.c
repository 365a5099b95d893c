// SPDX-License-Identifier: GPL-2.0
/*
 * Before this guest is suspended or frozen its channels are closed, and afterwards they are made anew. Before its kernel
 * ends they are closed for good: the next one must not take shared pages for its own.
 */
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "switch-channel/linux/main.h"
#include "switch-channel/linux/port.h"

static void each_port(void (*act)(struct nv_port *port))
{
	struct nv_port *port;

	mutex_lock(&nv_ports_lock);
	list_for_each_entry(port, &nv_ports, list) act(port);
	mutex_unlock(&nv_ports_lock);
}

static int on_suspend(struct notifier_block *block, unsigned long event, void *data)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
		if (nv_device_busy()) {
			pr_err("nether-vif: a process has a channel open: no suspending\n");
			return notifier_from_errno(-EBUSY);
		}
		each_port(nv_port_pause);
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
		each_port(nv_port_resume);
		nv_scan_now();
		break;
	}
	return NOTIFY_DONE;
}

static int on_reboot(struct notifier_block *block, unsigned long event, void *data)
{
	each_port(nv_port_pause);
	nv_device_close_all();
	return NOTIFY_DONE;
}

static struct notifier_block suspend_block = {.notifier_call = on_suspend};
static struct notifier_block reboot_block = {.notifier_call = on_reboot};

int nv_power_start(void)
{
	int error = register_pm_notifier(&suspend_block);

	if (error)
		return error;
	error = register_reboot_notifier(&reboot_block);
	if (error)
		unregister_pm_notifier(&suspend_block);
	return error;
}

void nv_power_stop(void)
{
	unregister_reboot_notifier(&reboot_block);
	unregister_pm_notifier(&suspend_block);
}
