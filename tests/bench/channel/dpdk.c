/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's ways, for comparison: rte_ring with pointers to buffers, which come back by a second one; the same with mbufs of a mempool; and memif, whose
 * driver makes both copies itself. Without huge pages, so that it works anywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "tests/bench/channel/way.h"

#define ENTRIES 1024u /* of an rte_ring: holds SLOTS */
#define CACHE 64u     /* mbufs of a mempool that a thread keeps */
#define LINK_TRIES 1000

static struct rte_ring *full[2], *empty[2];
static struct rte_mempool *pool[2];
static uint16_t port[2];

static void nothing(void)
{
}

/* A thread that DPDK knows has a mempool's cache. */
static void known(void)
{
	static __thread bool done;

	if (!done)
		rte_thread_register();
	done = true;
}

static struct rte_ring *make_ring(const char *name, int i)
{
	char text[32];

	snprintf(text, sizeof(text), "%s%d", name, i);
	return rte_ring_create(text, ENTRIES, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

/* --- pointers ---------------------------------------------------------------------------------- */

static bool pointers_open(uint32_t size)
{
	uint32_t n = frames_under_way(), step = (size + 63) & ~63u;

	for (int i = 0; i < 2; i++) {
		uint8_t *buffers = aligned_alloc(64, (size_t)n * step);

		full[i] = make_ring("full", i);
		empty[i] = make_ring("empty", i);
		if (!buffers || !full[i] || !empty[i])
			return false;
		memset(buffers, 0, (size_t)n * step);
		for (uint32_t k = 0; k < n; k++)
			rte_ring_sp_enqueue(empty[i], buffers + (size_t)k * step);
	}
	return true;
}

static uint32_t pointers_send(unsigned int direction, uint32_t n)
{
	void *p[BATCH];
	uint32_t got = rte_ring_sc_dequeue_burst(empty[direction], p, n, NULL);

	for (uint32_t i = 0; i < got; i++)
		memcpy(p[i], next_source(), frame_size);
	return got ? rte_ring_sp_enqueue_burst(full[direction], p, got, NULL) : 0;
}

static uint32_t pointers_receive(unsigned int direction, uint32_t n)
{
	void *p[BATCH];
	uint32_t got = rte_ring_sc_dequeue_burst(full[direction], p, n, NULL);

	for (uint32_t i = 0; i < got; i++)
		memcpy(next_sink(), p[i], frame_size);
	return got ? rte_ring_sp_enqueue_burst(empty[direction], p, got, NULL) : 0;
}

static const struct way pointers = {"rte_ring",       65536,  pointers_open, pointers_send,
				    pointers_receive, nothing};

/* --- mbufs ------------------------------------------------------------------------------------- */

static bool make_pools(uint32_t size, uint32_t n)
{
	for (int i = 0; i < 2; i++) {
		char name[32];

		snprintf(name, sizeof(name), "pool%d", i);
		pool[i] = rte_pktmbuf_pool_create(name, n, n > 8 * CACHE ? CACHE : 0, 0,
						  (uint16_t)(size + RTE_PKTMBUF_HEADROOM),
						  SOCKET_ID_ANY);
		if (!pool[i])
			return false;
	}
	return true;
}

static bool mbufs_open(uint32_t size)
{
	uint32_t n = frames_under_way();

	for (int i = 0; i < 2; i++) {
		full[i] = make_ring("full", i);
		if (!full[i])
			return false;
	}
	return make_pools(size, n < SLOTS ? n : n + 4 * CACHE);
}

static uint32_t mbufs_send(unsigned int direction, uint32_t n)
{
	struct rte_mbuf *m[BATCH];

	known();
	if (rte_pktmbuf_alloc_bulk(pool[direction], m, n))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod(m[i], void *), next_source(), frame_size);
		m[i]->data_len = (uint16_t)frame_size;
		m[i]->pkt_len = frame_size;
	}
	return rte_ring_sp_enqueue_burst(full[direction], (void **)m, n, NULL);
}

static uint32_t mbufs_receive(unsigned int direction, uint32_t n)
{
	struct rte_mbuf *m[BATCH];
	uint32_t got = rte_ring_sc_dequeue_burst(full[direction], (void **)m, n, NULL);

	known();
	for (uint32_t i = 0; i < got; i++)
		memcpy(next_sink(), rte_pktmbuf_mtod(m[i], void *), m[i]->data_len);
	if (got)
		rte_pktmbuf_free_bulk(m, got);
	return got;
}

/* An mbuf's length has 16 bits. */
static const struct way mbufs = {"rte_ring+mbuf", 65000,         mbufs_open,
				 mbufs_send,      mbufs_receive, nothing};

/* --- memif: both ends in this process, whose sockets differ by name only -------------------------- */

static bool start_port(int i, const char *folder, uint32_t size)
{
	struct rte_eth_conf conf = {0};
	char name[32], options[256];
	uint32_t order = 4;

	while (2u << order <= frames_under_way())
		order++;
	snprintf(name, sizeof(name), "net_memif%d", i);
	snprintf(options, sizeof(options),
		 "role=%s,id=0,socket=%s/%ssocket,socket-abstract=no,bsize=%u,rsize=%u",
		 i ? "client" : "server", folder, i ? "./" : "", (size + 63) & ~63u, order);
	if (rte_vdev_init(name, options) || rte_eth_dev_get_port_by_name(name, &port[i]))
		return false;
	return !rte_eth_dev_configure(port[i], 1, 1, &conf) &&
	       !rte_eth_rx_queue_setup(port[i], 0, 1u << order, SOCKET_ID_ANY, NULL, pool[i]) &&
	       !rte_eth_tx_queue_setup(port[i], 0, 1u << order, SOCKET_ID_ANY, NULL) &&
	       !rte_eth_dev_start(port[i]);
}

static bool memif_open(uint32_t size)
{
	char folder[] = "/tmp/memif.XXXXXX";
	struct rte_eth_link link[2];

	if (!mkdtemp(folder) || !make_pools(size, 2 * SLOTS) || !start_port(0, folder, size) ||
	    !start_port(1, folder, size))
		return false;
	for (int tries = 0; tries < LINK_TRIES; tries++) {
		if (!rte_eth_link_get_nowait(port[0], &link[0]) &&
		    !rte_eth_link_get_nowait(port[1], &link[1]) && link[0].link_status &&
		    link[1].link_status)
			return true;
		usleep(10000);
	}
	return false;
}

static uint32_t memif_send(unsigned int direction, uint32_t n)
{
	struct rte_mbuf *m[BATCH];
	uint16_t sent;

	known();
	if (rte_pktmbuf_alloc_bulk(pool[direction], m, n))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		m[i]->data_len = (uint16_t)frame_size;
		m[i]->pkt_len = frame_size;
	}
	sent = rte_eth_tx_burst(port[direction], 0, m, (uint16_t)n);
	rte_pktmbuf_free_bulk(m + sent, n - sent);
	return sent;
}

static uint32_t memif_receive(unsigned int direction, uint32_t n)
{
	struct rte_mbuf *m[BATCH];
	uint16_t got;

	known();
	got = rte_eth_rx_burst(port[!direction], 0, m, (uint16_t)n);
	rte_pktmbuf_free_bulk(m, got);
	return got;
}

static const struct way memif = {"memif", 65000, memif_open, memif_send, memif_receive, nothing};

const struct way *const ways[] = {&pointers, &mbufs, &memif, NULL};

int main(int argc, char **argv)
{
	char prefix[48];
	char *eal[] = {argv[0],
		       (char *)"--no-huge",
		       (char *)"-m",
		       (char *)"512",
		       (char *)"--no-pci",
		       (char *)"--no-telemetry",

		       (char *)"--log-level=3",
		       prefix,
		       NULL};

	snprintf(prefix, sizeof(prefix), "--file-prefix=channel%d", (int)getpid());
	if (argc > 2 && rte_eal_init(8, eal) < 0) {
		fprintf(stderr, "DPDK does not start\n");
		return 1;
	}
	return bench_main(argc, argv);
}
