// SPDX-License-Identifier: GPL-2.0
/*
 * Before this guest is suspended, frozen, or replaced by its image its channels are closed, and afterwards they are made anew. Before its
 * kernel ends they are closed for good: the next one must not take shared pages for its own, and knows nothing of what is
 * in the aperture. Programs still run at either time, so that new channels have to wait, too.
 */
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "switch-channel/linux/main.h"
#include "switch-channel/linux/port.h"

static int on_suspend(struct notifier_block *block, unsigned long event, void *data)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		if (nv_device_hold()) {
			pr_err("nether-vif: a process has a channel open: no suspending\n");
			return notifier_from_errno(-EBUSY);
		}
		nv_ports_hold();
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		nv_device_let();
		nv_ports_let();
		nv_scan_now();
		break;
	}
	return NOTIFY_DONE;
}

static int on_reboot(struct notifier_block *block, unsigned long event, void *data)
{
	nv_ports_hold();
	nv_device_revoke_all();
	if (event == SYS_RESTART) /* perhaps to another kernel in the same memory */
		nv_channel_close_lost();
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
