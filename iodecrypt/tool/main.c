/* SPDX-License-Identifier: Apache-2.0 */
/* nether-image: makes, verifies and opens encrypted disks, where their owner has the key. docs/nether-image.md */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "iodecrypt/tool/output.h"
#include "iodecrypt/tool/pool.h"
#include "version.h"

/* Letters of options, which are also in each command's list. Small ones have a value. */
static const struct option long_options[] = {
	{"key", required_argument, NULL, 'k'},     {"new-key", required_argument, NULL, 'n'},
	{"size", required_argument, NULL, 's'},    {"format", required_argument, NULL, 'f'},
	{"receipt", required_argument, NULL, 'r'}, {"receipt-out", required_argument, NULL, 'o'},
	{"sidecar", required_argument, NULL, 'c'}, {"threads", required_argument, NULL, 't'},
	{"quiet", no_argument, NULL, 'Q'},         {"force", no_argument, NULL, 'F'},
	{"journal", no_argument, NULL, 'J'},       {"salvage", no_argument, NULL, 'S'},
	{"newer", no_argument, NULL, 'N'},         {"readonly", no_argument, NULL, 'R'},
	{"help", no_argument, NULL, 'H'},          {NULL, 0, NULL, 0},
};

static const char *const option_text[][2] = {
	{"k",
	 "--key FILE        the master key: a file of mode 0600 or 0400, a pipe, or - for standard input"},
	{"n", "--new-key FILE    the new image's master key"},
	{"s", "--size N[KMGT]    of the disk"},
	{"f", "--format FORMAT   of the source: raw (the default) or qcow2 (by qemu-nbd)"},
	{"c", "--sidecar FILE    of the image"},
	{"r", "--receipt FILE    what is known of the image: refuses an older one, or another"},
	{"N", "--newer           takes an image that is newer than its receipt"},
	{"o", "--receipt-out F   writes the receipt of the image that results"},
	{"J",
	 "--journal         for an image that was not closed: as if it were recovered, in memory"},
	{"S", "--salvage         writes what verifies, zeros for the rest"},
	{"R", "--readonly"},
	{"F", "--force           replaces files that exist"},
	{"t", "--threads N       (default: one for each CPU)"},
	{"Q", "--quiet           no progress"},
};

static const struct command {
	const char *name, *operands, *what;
	const char *options; /* letters; those in capital or small: see above */
	bool key;            /* cannot do without */
	int count;           /* of operands */
	/* NULL: a program of its own, because this one has keys and needs no network */
	int (*run)(const struct options *o, char **args);
} commands[] = {
	{"key new", "FILE", "makes a master key", "", false, 1, cmd_key_new},
	{"key show-id", "", "prints the key's public id; with --sidecar, says whether it fits",
	 "kc", true, 0, cmd_key_id},
	{"key xts", "", "writes the 64 bytes of an image's AES-256-XTS key, for cryptsetup", "kc",
	 true, 0, cmd_key_xts},
	{"create", "DATA SIDECAR", "makes an image of a disk never written", "ksoF", true, 2,
	 cmd_create},
	{"encrypt", "SOURCE DATA SIDECAR",
	 "makes an image of a disk: a file, a block device, or - (a pipe)", "ksfoFtQ", true, 3,
	 cmd_encrypt},
	{"decrypt", "DATA SIDECAR OUT", "verifies and decrypts into a file, or - (a pipe)",
	 "krNSFtQ", true, 3, cmd_decrypt},
	{"verify", "DATA SIDECAR", "verifies everything", "krNJtQ", true, 2, cmd_verify},
	{"info", "SIDECAR", "prints the headers", "k", false, 1, cmd_info},
	{"rekey", "DATA SIDECAR OUTDATA OUTSIDECAR",
	 "makes a new image, with another key and uuid, of a verified one", "knroNFtQ", true, 4,
	 cmd_rekey},
	{"recover", "DATA SIDECAR", "settles and closes an image that was not closed", "kroF", true,
	 2, cmd_recover},
	{"upload", "HOST DATA SIDECAR", "gives the image to a host; by nether-image-upload", "",
	 false, -1, NULL},
	{"mount-help", "DATA SIDECAR NAME", "prints how to open the data file by cryptsetup", "kR",
	 true, 3, cmd_mount_help},
};

static void help_all(FILE *to)
{
	fprintf(to, "usage: nether-image COMMAND [OPTION...] [FILE...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-12s %-32s %s\n", commands[i].name, commands[i].operands,
			commands[i].what);
	fprintf(to, "\nnether-image COMMAND --help has its options. Version " NETHERVISOR_VERSION
		    ".\n");
}

static void help_one(const struct command *c)
{
	printf("usage: nether-image %s [OPTION...] %s\n%s\n", c->name, c->operands, c->what);
	for (size_t i = 0; i < ARRAY_SIZE(option_text); i++)
		if (strchr(c->options, option_text[i][0][0]))
			printf("  %s\n", option_text[i][1]);
}

/* Moves *argv behind it, to its last word. */
static const struct command *find(int *argc, char ***argv)
{
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		for (int words = 1; words <= 2 && words < *argc; words++) {
			snprintf(name, sizeof(name), words == 1 ? "%s" : "%s %s", (*argv)[1],
				 (*argv)[2]);
			if (!strcmp(name, commands[i].name)) {
				*argc -= words;
				*argv += words;
				return &commands[i];
			}
		}
	return NULL;
}

/* Beside this program. */
static int run_upload(char **argv)
{
	static const char name[] = "nether-image-upload";
	char path[PATH_MAX + sizeof(name)], *slash;
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash ? slash + 1 : path, name, sizeof(name));
	execv(path, argv);
	return fail_file(path);
}

static int set_threads(struct options *o, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || !n || n > THREADS_MAX)
		return fail(STATUS_USAGE, "--threads is 1 to %u", THREADS_MAX);
	o->threads = (unsigned int)n;
	return STATUS_OK;
}

static int set_option(struct options *o, int letter)
{
	switch (letter) {
	case 'k':
		o->key = optarg;
		break;
	case 'n':
		o->new_key = optarg;
		break;
	case 's':
		o->size = optarg;
		break;
	case 'f':
		o->format = optarg;
		break;
	case 'r':
		o->receipt = optarg;
		break;
	case 'o':
		o->receipt_out = optarg;
		break;
	case 'c':
		o->sidecar = optarg;
		break;
	case 't':
		return set_threads(o, optarg);
	case 'Q':
		o->quiet = true;
		break;
	case 'F':
		o->force = true;
		break;
	case 'J':
		o->journal = true;
		break;
	case 'S':
		o->salvage = true;
		break;
	case 'N':
		o->newer = true;
		break;
	case 'R':
		o->readonly = true;
		break;
	}
	return STATUS_OK;
}

static int parse(const struct command *c, struct options *o, int argc, char **argv)
{
	int letter, status;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (letter == 'H') {
			help_one(c);
			exit(STATUS_OK);
		}
		if (letter == '?')
			return STATUS_USAGE;
		if (!strchr(c->options, letter))
			return fail(STATUS_USAGE, "`%s` has no such option (see --help)", c->name);
		status = set_option(o, letter);
		if (status)
			return status;
	}
	if (argc - optind != c->count)
		return fail(STATUS_USAGE, "usage: nether-image %s [OPTION...] %s", c->name,
			    c->operands);
	if (c->key && !o->key)
		return fail(STATUS_USAGE, "`%s` takes a --key", c->name);
	return STATUS_OK;
}

/* Nobody finds keys or plaintext in a core file, nor by a debugger of the same user. */
static void keep_secret(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
	const struct command *c;
	struct options o = {0};
	const char *why;
	int status, err;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		help_all(stdout);
		return STATUS_OK;
	}
	c = find(&argc, &argv);
	if (!c) {
		help_all(stderr);
		return STATUS_USAGE;
	}
	if (!c->run)
		return run_upload(argv);
	status = parse(c, &o, argc, argv);
	if (status)
		return status;
	keep_secret();
	output_init();
	err = crypto_init(&why);
	if (err && err != CRYPTO_ERR_SOURCE) /* random numbers are the system's here */
		return fail(STATUS_ERROR, "%s", why);
	status = c->run(&o, argv + optind);
	if (fflush(stdout) || ferror(stdout))
		status = status ? status : fail_file("standard output");
	return status;
}
