/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine of tests/bench/channel_lab.py runs: frames from this network namespace to another one.
 *   sweep FAR WARM_MS MS JOB..
 * FAR: a process in the other namespace, where the far ends are, at ADDRESS. Jobs, all at the same time:
 *   stream:BYTES            messages of BYTES by TCP, one write() each, as fast as they go
 *   datagram:BYTES:MBIT     UDP datagrams of BYTES, MBIT megabits of them in a second, at even distances; 0: as fast as they go
 *   turn:BYTES:GAP_US       UDP datagrams of BYTES and their answers, one at a time, GAP_US apart on average (0..2 * GAP_US)
 * After WARM_MS sets mark 0 (tests/bench/count.c), after MS more mark 1, and prints "ns N"; and for each job, of the time between the
 * marks, "stream SENT-BYTES RECEIVED-BYTES", the same for "datagram", and "turn COUNT LOST MEDIAN-NS P99-NS MAX-NS". Bytes are the
 * messages' own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ADDRESS "10.9.0.2"
#define PORT 5000
#define JOBS_MAX 4
#define LARGEST (64u << 10)
#define TURNS_MAX 65536u
#define NS 1000000000u

struct job {
	enum { STREAM, DATAGRAM, TURN } kind;
	uint16_t port;
	uint32_t bytes, number; /* MBIT or GAP_US */
	/* Written by one process each, read by the one that started all. */
	_Atomic uint64_t sent, received;
	_Atomic uint32_t turns, lost;
	uint32_t turn_ns[TURNS_MAX];
};

struct reading {
	uint64_t ns, sent[JOBS_MAX], received[JOBS_MAX];
	uint32_t turns[JOBS_MAX], lost[JOBS_MAX];
};

static const char *const names[] = {"stream", "datagram", "turn"};
static uint8_t buffer[LARGEST];

/* count.c's instruction */
static void mark(unsigned int n)
{
	if (n)
		__asm__ volatile("nopl 0x4e485401(%%rax,%%rax,1)" : : : "memory");
	else
		__asm__ volatile("nopl 0x4e485400(%%rax,%%rax,1)" : : : "memory");
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "sweep: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / NS), .tv_nsec = (long)(ns % NS)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
}

/* A socket with room for what comes while another program has the processor. */
static int open_socket(const struct job *job)
{
	int size = 8 << 20;
	int fd = socket(AF_INET, job->kind == STREAM ? SOCK_STREAM : SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	if (job->kind != STREAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* --- the far end ------------------------------------------------------------------------------------------------ */

static int serve_at(const struct job *job)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(job->port)};
	int fd = open_socket(job);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	if (job->kind == STREAM && listen(fd, 1))
		die("listen");
	return fd;
}

static void answer(int fd)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length);

	if (n < 0 || sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, length) != n)
		die("answer");
}

static _Noreturn void serve(struct job *job, int fd)
{
	if (job->kind == STREAM) {
		fd = accept(fd, NULL, NULL);
		if (fd < 0)
			die("accept");
	}
	for (;;) {
		ssize_t n;

		if (job->kind == TURN) {
			answer(fd);
			continue;
		}
		n = read(fd, buffer, sizeof(buffer));
		if (n <= 0)
			die("read");
		atomic_fetch_add(&job->received, (uint64_t)n);
	}
}

/* --- the near end ----------------------------------------------------------------------------------------------- */

static int ask_at(const struct job *job)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(job->port)};
	int fd = open_socket(job);

	inet_pton(AF_INET, ADDRESS, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	return fd;
}

static void send_one(struct job *job, int fd)
{
	for (size_t done = 0; done < job->bytes;) {
		ssize_t n = write(fd, buffer + done, job->bytes - done);

		if (n <= 0)
			die("write");
		done += (size_t)n;
	}
	atomic_fetch_add(&job->sent, job->bytes);
}

static _Noreturn void send_all(struct job *job, int fd)
{
	uint64_t at = now();

	for (;;) {
		send_one(job, fd);
		if (job->kind == DATAGRAM && job->number) {
			at += (uint64_t)job->bytes * 8000 / job->number;
			sleep_until(at);
		}
	}
}

static uint32_t random_below(uint32_t limit)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((state >> 32) * limit >> 32);
}

static _Noreturn void take_turns(struct job *job, int fd)
{
	struct timeval patience = {.tv_sec = 1};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (uint32_t number = 0;; number++) {
		uint64_t start = now();
		ssize_t n;

		memcpy(buffer, &number, sizeof(number));
		if (write(fd, buffer, job->bytes) != (ssize_t)job->bytes)
			die("write");
		do {
			n = read(fd, buffer, sizeof(buffer));
		} while (n > 0 && memcmp(buffer, &number, sizeof(number))); /* a late one */
		if (n < 0) {
			atomic_fetch_add(&job->lost, 1);
			continue;
		}
		if (atomic_load(&job->turns) == TURNS_MAX)
			die("too many turns");
		job->turn_ns[atomic_load(&job->turns)] = (uint32_t)(now() - start);
		atomic_fetch_add(&job->turns, 1);
		sleep_until(now() + 1000ull * random_below(2 * job->number + 1));
	}
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* Each end is a process of its own. */
static void start(struct job *job, const char *far)
{
	char path[64];
	int ready[2];

	if (pipe(ready))
		die("pipe");
	if (!fork()) {
		int fd;

		snprintf(path, sizeof(path), "/proc/%s/ns/net", far);
		if (setns(open(path, O_RDONLY), CLONE_NEWNET))
			die("setns");
		fd = serve_at(job);
		close(ready[0]);
		close(ready[1]);
		serve(job, fd);
	}
	close(ready[1]);
	if (read(ready[0], path, 1))
		die("ready");
	close(ready[0]);
	if (!fork()) {
		int fd = ask_at(job);

		if (job->kind == TURN)
			take_turns(job, fd);
		send_all(job, fd);
	}
}

static void look(const struct job *job, int jobs, struct reading *r)
{
	r->ns = now();
	for (int i = 0; i < jobs; i++) {
		r->sent[i] = atomic_load(&job[i].sent);
		r->received[i] = atomic_load(&job[i].received);
		r->turns[i] = atomic_load(&job[i].turns);
		r->lost[i] = atomic_load(&job[i].lost);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void say_turns(struct job *job, uint32_t from, uint32_t to, uint32_t lost)
{
	uint32_t count = to - from, *ns = job->turn_ns + from;

	if (!count) {
		printf("turn 0 %u 0 0 0\n", lost);
		return;
	}
	qsort(ns, count, sizeof(*ns), by_size);
	printf("turn %u %u %u %u %u\n", count, lost, ns[count / 2],
	       ns[count - 1 - (count - 1) / 100], ns[count - 1]);
}

static void say(struct job *job, int jobs, const struct reading *r)
{
	printf("ns %" PRIu64 "\n", r[1].ns - r[0].ns);
	for (int i = 0; i < jobs; i++) {
		if (job[i].kind == TURN)
			say_turns(&job[i], r[0].turns[i], r[1].turns[i],
				  r[1].lost[i] - r[0].lost[i]);
		else
			printf("%s %" PRIu64 " %" PRIu64 "\n", names[job[i].kind],
			       r[1].sent[i] - r[0].sent[i], r[1].received[i] - r[0].received[i]);
	}
}

static bool parse(const char *text, struct job *job)
{
	char name[16];
	int words = sscanf(text, "%15[a-z]:%" SCNu32 ":%" SCNu32, name, &job->bytes, &job->number);

	for (int kind = STREAM; kind <= TURN; kind++)
		if (words == (kind == STREAM ? 2 : 3) && !strcmp(name, names[kind])) {
			job->kind = kind;
			return job->bytes >= sizeof(uint32_t) && job->bytes <= LARGEST;
		}
	return false;
}

int main(int argc, char **argv)
{
	struct reading r[2];
	struct job *job = mmap(NULL, JOBS_MAX * sizeof(*job), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int jobs = argc - 4;
	uint64_t from;
	bool failed;

	if (jobs < 0 || jobs > JOBS_MAX || job == MAP_FAILED)
		return 2;
	prctl(PR_SET_TIMERSLACK, 1);
	for (int i = 0; i < jobs; i++) {
		job[i].port = (uint16_t)(PORT + i);
		if (!parse(argv[4 + i], &job[i]))
			return 2;
		start(&job[i], argv[1]);
	}
	from = now() + 1000000ull * (uint64_t)atoi(argv[2]);
	sleep_until(from);
	look(job, jobs, &r[0]);
	mark(0);
	sleep_until(from + 1000000ull * (uint64_t)atoi(argv[3]));
	look(job, jobs, &r[1]);
	mark(1);
	/* Who has ended has failed, and said why. */
	failed = jobs && waitpid(-1, NULL, WNOHANG);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	say(job, jobs, r);
	return failed;
}
