/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A port: one interface and its channel. The interface stays while channels come and go.
 *
 * Who may touch what: port->lock (a mutex) is for the channel and its phase; within it the kernel's RTNL is for whether
 * queues run. Of a queue, `rx` and what polling remembers belong to its NAPI instance, `tx` to the lock of its transmit queue; while queues
 * do not run both are the port's.
 */
#ifndef SWITCH_CHANNEL_LINUX_PORT_H
#define SWITCH_CHANNEL_LINUX_PORT_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/workqueue.h>

#include "switch-channel/linux/bell.h"
#include "switch-channel/linux/channel.h"
#include "switch-channel/linux/config.h"
#include "switch-channel/ring_attach.h"

#define NV_TICK_MS 100
/* So far apart channels are tried at last whose peers do harm, and so long one has to be without to be tried as at first. */
#define NV_RETRY_MAX_MS 60000
#define NV_MTU_MAX (65535 - ETH_HLEN)
/* IPv6 works with no less (RFC 8200, 5): a peer that wants less is refused. */
#define NV_MTU_MIN 1280u

/* Written by NAPI, and by who has the transmit queue's lock. */
#define NV_RX_COUNTS(x)                                                                        \
	x(rx_packets) x(rx_bytes) x(rx_no_memory) x(rx_bad_header) x(rx_over) x(rx_bells_rung) \
		x(polls) x(polls_idle) x(pauses) x(sleeps) x(bells_heard)
#define NV_TX_COUNTS(x) \
	x(tx_packets) x(tx_bytes) x(tx_dropped) x(tx_stops) x(tx_wakes) x(tx_bells_rung)

#define COUNT(name) u64 name;
struct nv_rx_counts {
	NV_RX_COUNTS(COUNT)
};

struct nv_tx_counts {
	NV_TX_COUNTS(COUNT)
};
#undef COUNT

enum nv_phase {
	NV_NONE,     /* no channel: at `again` the next is tried */
	NV_WAIT,     /* a channel, and nobody on its other side, or not yet */
	NV_ATTACHED, /* its rings are in use */
};

struct nv_queue {
	struct nv_port *port;
	u32 index;
	struct napi_struct napi;
	struct hrtimer timer;
	struct nv_bell bell;
	bool bell_joined; /* written by the port's work */

	struct nring_rx rx;
	struct nv_rx_counts rx_counts;
	bool asleep;      /* rx says so in the ring */
	ktime_t worked;   /* when a frame was last taken */
	ktime_t period;   /* when the period began */
	ktime_t listened; /* when the bell was last waited for */
	u32 in_period;    /* frames */
	u32 pause_us;     /* adaptive: how long the last pause was; transmission sets it to 0 */
	ktime_t rang;     /* when the bell was last rung, by either side of the queue */
	bool owed;        /* it has to be rung again, at the next look */

	struct nring_tx tx ____cacheline_aligned_in_smp;
	u32 *ends;
	bool live;      /* frames may go */
	bool tx_asleep; /* tx says so in the ring */
	struct nv_tx_counts tx_counts;
} ____cacheline_aligned_in_smp;

struct nv_port {
	struct nv_config config;
	struct net_device *dev;
	struct list_head list; /* nv_ports */
	struct delayed_work work;
	bool leaving; /* under lock: nothing is started any more */

	struct mutex lock;
	enum nv_phase phase;
	struct nv_channel channel;
	struct nring_link link;
	u64 peer;                   /* guest id, of the offerer */
	unsigned long again;        /* jiffies, for the next channel */
	unsigned long began;        /* the channel */
	u32 retry_ms;               /* from its end to the next */
	unsigned long attach_after; /* for the next attachment */
	unsigned long looked;       /* when the monitor was last asked */
	unsigned long beat;         /* when the peer's heart last beat */
	bool stalled;
	u64 violations_seen;    /* those up to here have been judged */
	u64 violations_counted; /* against the peers of this channel, in all of its epochs */
	u64 accepted;    /* how often the channel had been accepted when an epoch last ended */
	bool bells_open; /* an acceptor's, for the domain that follows */
	u32 bells_peer;

	/* Under RTNL. */
	bool attached, running;
	u32 queues;     /* of this epoch */
	u32 features;   /* agreed */
	u32 wanted_mtu; /* the user's; the interface's is less where the peer's is */

	/* For ethtool: */
	u64 offers, accepts, attaches, closes[CHANNEL_REASON_STALLED + 1], stalls, errors;
	int last_error;

	struct nv_queue queue[NRING_QUEUES_MAX];
};

struct ethtool_ops;

extern struct list_head nv_ports;  /* all of them */
extern struct mutex nv_ports_lock; /* for the list; before any port->lock */

/* A new port, which looks for its channel from now on. An ERR_PTR: as register_netdev(). Not under RTNL. */
struct nv_port *nv_port_add(const struct nv_config *config);
/* Closes its channel, removes its interface. */
void nv_port_remove(struct nv_port *port);
/* Closes the channels of all ports. They start no others, nor do ports that are added now, until nv_ports_let(). */
void nv_ports_hold(void);
void nv_ports_let(void);

/* link.c: the channel's life. Under port->lock. */
void nv_port_work(struct work_struct *work);
void nv_port_close(struct nv_port *port, u32 reason);
/* A channel has been had: its ring begins. */
void nv_port_begin(struct nv_port *port);

/* scan.c: gives pending offers to the acceptors among the ports. */
void nv_scan_now(void);
void nv_scan_stop(void);

/* queue.c */
void nv_queues_setup(struct nv_port *port); /* once */
/*
 * An epoch begins: memory and rings for link->geometry.queues. Under port->lock, when no queue runs. -ENOMEM. What it has is
 * freed by nv_queues_release(), which does no harm without it.
 */
int nv_queues_prepare(struct nv_port *port);
void nv_queues_release(struct nv_port *port);
/* Once, behind unregister_netdev(): no poll and no timer is left. */
void nv_queues_forget(struct nv_port *port);
/* Polling, and transmission. Under RTNL, when attached. */
void nv_queues_start(struct nv_port *port);
void nv_queues_stop(struct nv_port *port);

/* Rings for a peer that sleeps; less than bell_us after the last time the next look does. True: it has rung. */
bool nv_queue_ring(struct nv_queue *queue);

/* bells.c: of a port's queues. Under port->lock, when no queue runs; but nv_bells_look(), which learns who has joined. */
void nv_bells_open(struct nv_port *port);
void nv_bells_join(struct nv_port *port);
void nv_bells_look(struct nv_port *port);
void nv_bells_close(struct nv_port *port);

/* rx.c: takes up to `budget` frames, bad ones that are left out among them; how many there were. In NAPI. */
u32 nv_receive(struct nv_queue *queue, u32 budget);

/* tx.c */
netdev_tx_t nv_transmit(struct sk_buff *skb, struct net_device *dev);
/* In NAPI: lets a stopped transmit queue go on if there is room. True: it stays stopped; with `sleep` the ring says that it waits. */
bool nv_transmit_again(struct nv_queue *queue, bool sleep);

extern const struct ethtool_ops nv_ethtool_ops;
extern bool nv_bells; /* there are event channels */
extern struct workqueue_struct *nv_work;

#endif
