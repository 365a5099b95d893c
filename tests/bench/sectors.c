/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many bytes a second the image's own objects encrypt and authenticate of a disk's sectors:
 *   sectors SECONDS
 * prints a line "WORK REQUEST THREADS BYTES" for each kind of work, size of a request in bytes, and number
 * of threads: bytes in a second of CPU time, all threads together. CPU time, as `openssl speed` counts
 * it, since others use this machine too.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/hmac.h"
#include "crypto/xts.h"

#define REQUEST_MAX (64u << 10)
#define SECTORS_MAX (REQUEST_MAX / CRYPTO_SECTOR_BYTES)
#define THREADS_MAX 2u

struct disk {
	_Alignas(4096) uint8_t guest[REQUEST_MAX];
	_Alignas(4096) uint8_t host[REQUEST_MAX];
	uint8_t tags[SECTORS_MAX][CRYPTO_SECTOR_TAG_BYTES];
	uint8_t read[SECTORS_MAX][CRYPTO_SECTOR_TAG_BYTES];
	unsigned int good;
	struct crypto_xts xts;
	struct crypto_hmac hmac;
};

static void write_tagged(struct disk *d, uint64_t sector, size_t n)
{
	crypto_xts_encrypt(&d->xts, sector, d->host, d->guest, n);
	crypto_hmac_sectors(&d->hmac, sector, d->host, n, d->tags);
}

static void read_tagged(struct disk *d, uint64_t sector, size_t n)
{
	crypto_hmac_sectors(&d->hmac, sector, d->host, n, d->read);
	d->good += crypto_equal(d->read, d->tags, n * sizeof(*d->tags));
	crypto_xts_decrypt(&d->xts, sector, d->guest, d->host, n);
}

static void encrypt_only(struct disk *d, uint64_t sector, size_t n)
{
	crypto_xts_encrypt(&d->xts, sector, d->host, d->guest, n);
}

static void decrypt_only(struct disk *d, uint64_t sector, size_t n)
{
	crypto_xts_decrypt(&d->xts, sector, d->guest, d->host, n);
}

static void tag_only(struct disk *d, uint64_t sector, size_t n)
{
	crypto_hmac_sectors(&d->hmac, sector, d->host, n, d->tags);
}

struct job {
	void (*work)(struct disk *d, uint64_t sector, size_t n);
	size_t request;
	double seconds; /* to take, then taken */
	double bytes;
};

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *run(void *arg)
{
	const size_t again = 1u << 20; /* bytes between two looks at the clock */
	static _Thread_local struct disk d;
	struct job *job = arg;
	uint8_t key[CRYPTO_XTS_KEY_BYTES];
	double start;

	if (crypto_random(key, sizeof(key)) || crypto_xts_init(&d.xts, key))
		abort();
	crypto_hmac_init(&d.hmac, key, sizeof(key));
	memset(d.guest, 1, sizeof(d.guest));
	memset(d.host, 2, sizeof(d.host));
	start = cpu_seconds();
	do {
		for (size_t at = 0; at < again; at += job->request)
			job->work(&d, 1 + at / CRYPTO_SECTOR_BYTES,
				  job->request / CRYPTO_SECTOR_BYTES);
		job->bytes += (double)again;
	} while (cpu_seconds() - start < job->seconds);
	job->seconds = cpu_seconds() - start;
	return NULL;
}

static void measure(const char *name, struct job job, unsigned int threads)
{
	struct job each[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	double sum = 0;

	for (unsigned int i = 0; i < threads; i++) {
		each[i] = job;
		if (pthread_create(&thread[i], NULL, run, &each[i]))
			abort();
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += each[i].bytes / each[i].seconds;
	}
	printf("%s %zu %u %.0f\n", name, job.request, threads, sum);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*work)(struct disk *d, uint64_t sector, size_t n);
	} kind[] = {{"write", write_tagged},
		    {"read", read_tagged},
		    {"encrypt", encrypt_only},
		    {"decrypt", decrypt_only},
		    {"tag", tag_only}};
	double seconds = argc == 2 ? atof(argv[1]) : 0;
	const char *why;

	if (seconds <= 0 || crypto_init(&why)) {
		fprintf(stderr, "usage: sectors SECONDS\n");
		return 1;
	}
	for (size_t i = 0; i < sizeof(kind) / sizeof(*kind); i++)
		for (unsigned int threads = 1; threads <= THREADS_MAX; threads++)
			for (size_t request = 4096; request <= REQUEST_MAX; request *= 16)
				measure(kind[i].name,
					(struct job){kind[i].work, request, seconds, 0}, threads);
	return 0;
}
