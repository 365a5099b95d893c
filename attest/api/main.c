/* SPDX-License-Identifier: Apache-2.0 */
/* netherd-api: dom0's agent as tenants see it, over HTTPS. It is not trusted: docs/netherd-api.md. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/api/calls.h"
#include "attest/api/certificate.h"
#include "attest/api/config.h"
#include "attest/api/files.h"
#include "attest/api/images.h"
#include "attest/api/server.h"
#include "attest/api/source.h"
#include "attest/api/tokens.h"
#include "attest/api/tpm.h"
#include "attest/api/vms.h"
#include "attest/netherd/process.h"

#define FILE_MAX 65536u
#define TICK_MS 500
#define POLL_SECONDS 5 /* for the TPM */
#define END_SECONDS 15 /* for what has begun, before the program ends without it */

static const char usage[] = "usage: netherd-api --config FILE [--foreground] [--ready-fd N]\n"
			    "       netherd-api --make-certificate DIR\n"
			    "       netherd-api --new-token TENANT [--role tenant|metrics]\n";

struct arguments {
	const char *config, *certificate, *token, *role;
	bool foreground, help;
	int ready_fd;
};

static struct config config;
static int stop_fd;

static int parse(struct arguments *args, int argc, char **argv)
{
	static const struct option names[] = {
		{"config", required_argument, NULL, 'c'},
		{"foreground", no_argument, NULL, 'f'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"make-certificate", required_argument, NULL, 'm'},
		{"new-token", required_argument, NULL, 't'},
		{"role", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	uint64_t fd;
	int which;

	*args = (struct arguments){.ready_fd = -1, .role = "tenant"};
	while ((which = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (which == 'c')
			args->config = optarg;
		else if (which == 'f')
			args->foreground = true;
		else if (which == 'm')
			args->certificate = optarg;
		else if (which == 't')
			args->token = optarg;
		else if (which == 'o')
			args->role = optarg;
		else if (which == 'h')
			args->help = true;
		else if (which == 'r' && text_number(optarg, &fd) && fd < 65536)
			args->ready_fd = (int)fd;
		else
			return -1;
	}
	return optind == argc &&
			       !!args->config + !!args->certificate + !!args->token + args->help ==
				       1
		       ? 0
		       : -1;
}

/* A whole text file, to be freed; NULL with a line that says why not. */
static char *read_text(const char *path, size_t *bytes)
{
	char *text = malloc(FILE_MAX + 1);
	long n = text ? file_read(path, text, FILE_MAX) : -ENOMEM;

	if (n < 0) {
		process_say("%s: %s", path, strerror((int)-n));
		free(text);
		return NULL;
	}
	text[n] = '\0';
	*bytes = (size_t)n;
	return text;
}

static int read_config(const char *path)
{
	char why[CONFIG_TEXT];
	size_t bytes;
	char *text = read_text(path, &bytes);
	int err;

	if (!text)
		return -1;
	err = config_parse(&config, text, bytes, why);
	free(text);
	if (err)
		process_say("%s: %s", path, why);
	return err;
}

/* The root of it is root's, so that nobody can put another one in its place. */
static int make_dirs(void)
{
	static const char *const names[] = {"/api", "/spool"};
	char path[2 * CONFIG_TEXT];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", config.state, names[i]);
		if (mkdir(path, 0700) && errno != EEXIST) {
			process_say("%s: %s", path, strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* By itself, since a TPM may take its time. */
static void *watch_tpm(void *arg)
{
	struct pollfd fd = {.fd = stop_fd, .events = POLLIN};

	do {
		tpm_poll();
	} while (poll(&fd, 1, POLL_SECONDS * 1000) == 0);
	return NULL;
}

static void live(void)
{
	struct pollfd fd = {.fd = stop_fd, .events = POLLIN};

	while (poll(&fd, 1, TICK_MS) <= 0) {
		server_watch();
		tokens_load(config.tokens);
	}
}

/* A command of a TPM that hangs cannot be broken off. What is stored is as after a kill: what was promised is there. */
static void *insist(void *arg)
{
	sleep(END_SECONDS);
	process_say("a TPM or a disk does not answer: ended without it");
	_exit(1);
}

/* Done in order, or after END_SECONDS. */
static void end_in_time(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, insist, NULL))
		_exit(1);
	pthread_detach(thread);
}

static int start_server(void)
{
	size_t bytes;
	char *certificate = read_text(config.certificate, &bytes);
	char *key = certificate ? read_text(config.key, &bytes) : NULL;
	int port = key ? server_start(&config, key, certificate) : -1;

	free(certificate);
	if (key)
		explicit_bzero(key, bytes);
	free(key);
	return port;
}

static int serve(int ready_fd)
{
	char api[2 * CONFIG_TEXT], text[CONFIG_TEXT + 64];
	pthread_t thread;
	int port;

	if (make_dirs() || tokens_load(config.tokens) || images_start(&config))
		return 1;
	if (!source_start())
		process_say("no monitor answers: there will be no evidence");
	snprintf(api, sizeof(api), "%s/api", config.state);
	tpm_start(config.tcti, api, (unsigned int)config.tpm_queue);
	vms_start_up(&config);
	port = start_server();
	if (port < 0 || pthread_create(&thread, NULL, watch_tpm, NULL))
		return 1;
	snprintf(text, sizeof(text), "%s: ready, port %d", config.listen, port);
	process_ready(text, ready_fd);
	live();
	end_in_time();
	server_stop();
	pthread_join(thread, NULL);
	tpm_stop();
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments args;

	if (parse(&args, argc, argv)) {
		fputs(usage, stderr);
		return 1;
	}
	if (args.help) {
		fputs(usage, stdout);
		return 0;
	}
	process_harden();
	if (args.certificate)
		return certificate_make(args.certificate) ? 1 : 0;
	if (args.token)
		return tokens_new(args.token, args.role) ? 1 : 0;
	if (read_config(args.config))
		return 1;
	if (!args.foreground)
		process_background();
	stop_fd = process_signals();
	if (stop_fd < 0)
		return 1;
	return serve(args.ready_fd);
}
