// SPDX-License-Identifier: GPL-2.0
/*
 * Ports by hand: mkdir /sys/kernel/config/nether-vif/NAME, its keys as files, and `enable`. While it is enabled the keys
 * stay as they are.
 */
#include <linux/configfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "switch-channel/linux/config.h"
#include "switch-channel/linux/main.h"
#include "switch-channel/linux/port.h"

struct entry {
	struct config_item item;
	struct mutex lock; /* for what follows */
	struct nv_config config;
	struct nv_port *port; /* NULL: not enabled */
};

static struct entry *entry_of(struct config_item *item)
{
	return container_of(item, struct entry, item);
}

static ssize_t show_key(struct config_item *item, const char *key, char *page)
{
	struct entry *entry = entry_of(item);
	ssize_t length;

	mutex_lock(&entry->lock);
	length = nv_config_show(&entry->config, key, page);
	mutex_unlock(&entry->lock);
	return length;
}

static ssize_t store_key(struct config_item *item, const char *key, const char *page, size_t count)
{
	struct entry *entry = entry_of(item);
	int error;

	mutex_lock(&entry->lock);
	error = entry->port ? -EBUSY : nv_config_set(&entry->config, key, page);
	mutex_unlock(&entry->lock);
	return error ? error : count;
}

#define KEY(key)                                                                                   \
	static ssize_t key_##key##_show(struct config_item *item, char *page)                      \
	{                                                                                          \
		return show_key(item, #key, page);                                                 \
	}                                                                                          \
	static ssize_t key_##key##_store(struct config_item *item, const char *page, size_t count) \
	{                                                                                          \
		return store_key(item, #key, page, count);                                         \
	}                                                                                          \
	CONFIGFS_ATTR(key_, key);
NV_KEYS(KEY)
#undef KEY

static ssize_t key_enable_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", entry_of(item)->port ? 1 : 0);
}

static ssize_t key_enable_store(struct config_item *item, const char *page, size_t count)
{
	struct entry *entry = entry_of(item);
	struct nv_port *port = NULL;
	int error = 0;
	bool enable;

	if (kstrtobool(page, &enable))
		return -EINVAL;
	mutex_lock(&entry->lock);
	if (enable && !entry->port) {
		error = nv_config_check(&entry->config);
		if (!error)
			port = nv_port_add(&entry->config);
		if (IS_ERR(port))
			error = PTR_ERR(port);
		else
			entry->port = port;
	} else if (!enable && entry->port) {
		nv_port_remove(entry->port);
		entry->port = NULL;
	}
	mutex_unlock(&entry->lock);
	return error ? error : count;
}
CONFIGFS_ATTR(key_, enable);

static struct configfs_attribute *entry_attributes[] = {
#define KEY(key) &key_attr_##key,
	NV_KEYS(KEY)
#undef KEY
		& key_attr_enable,
	NULL,
};

static void entry_release(struct config_item *item)
{
	kfree(entry_of(item));
}

static struct configfs_item_operations entry_operations = {.release = entry_release};

static const struct config_item_type entry_type = {
	.ct_item_ops = &entry_operations,
	.ct_attrs = entry_attributes,
	.ct_owner = THIS_MODULE,
};

static struct config_item *entry_make(struct config_group *group, const char *name)
{
	struct entry *entry;

	if (strlen(name) >= IFNAMSIZ)
		return ERR_PTR(-ENAMETOOLONG);
	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return ERR_PTR(-ENOMEM);
	mutex_init(&entry->lock);
	nv_config_init(&entry->config);
	strscpy(entry->config.name, name, IFNAMSIZ);
	config_item_init_type_name(&entry->item, name, &entry_type);
	return &entry->item;
}

static void entry_drop(struct config_group *group, struct config_item *item)
{
	struct entry *entry = entry_of(item);

	mutex_lock(&entry->lock);
	if (entry->port)
		nv_port_remove(entry->port);
	entry->port = NULL;
	mutex_unlock(&entry->lock);
	config_item_put(item);
}

static struct configfs_group_operations group_operations = {
	.make_item = entry_make,
	.drop_item = entry_drop,
};

static const struct config_item_type group_type = {
	.ct_group_ops = &group_operations,
	.ct_owner = THIS_MODULE,
};

static struct configfs_subsystem subsystem = {
	.su_group.cg_item = {.ci_namebuf = "nether-vif", .ci_type = &group_type},
	.su_mutex = __MUTEX_INITIALIZER(subsystem.su_mutex),
};

int nv_configfs_start(void)
{
	config_group_init(&subsystem.su_group);
	return configfs_register_subsystem(&subsystem);
}

void nv_configfs_stop(void)
{
	configfs_unregister_subsystem(&subsystem);
}
