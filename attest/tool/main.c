/* SPDX-License-Identifier: Apache-2.0 */
/* nether-attest: whether a host runs what its tenant trusts, and his images' keys to it if so. docs/nether-attest.md */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "attest/tool/tool.h"
#include "crypto/crypto.h"
#include "iodecrypt/tool/output.h"
#include "version.h"

/* Letters are also in each command's list. */
static const struct option long_options[] = {
	{"policy", required_argument, NULL, 'p'},
	{"known", required_argument, NULL, 'w'},
	{"json", no_argument, NULL, 'J'},
	{"from", required_argument, NULL, 'f'},
	{"release", required_argument, NULL, 'r'},
	{"ek-root", required_argument, NULL, 'c'},
	{"ek", required_argument, NULL, 'e'},
	{"ak", required_argument, NULL, 'a'},
	{"any-host", no_argument, NULL, 'A'},
	{"out", required_argument, NULL, 'o'},
	{"force", no_argument, NULL, 'F'},
	{"help", no_argument, NULL, 'H'},
	{NULL, 0, NULL, 0},
};

static const char *const option_text[][2] = {
	{"p", "--policy FILE     what is taken for good (see `policy init`)"},
	{"w",
	 "--known FILE      keys that TPMs have activated (default: ~/.local/state/nether-attest/known)"},
	{"J", "--json            as JSON"},
	{"f", "--from FILE       evidence of a boot that is trusted (see `evidence save`)"},
	{"r", "--release FILE    a release's hashes: a list of {pcr, sha256, what}, in YAML"},
	{"c", "--ek-root FILE    certificates, PEM, that endorsement keys' certificates lead to"},
	{"e", "--ek HASH         this host's endorsement key; may be given more than once"},
	{"a",
	 "--ak HASH         an attestation key, for `evidence check`; may be given more than once"},
	{"A", "--any-host        any whose certificate leads to --ek-root: anyone's machine"},
	{"o", "--out FILE        instead of standard output"},
	{"F", "--force           replaces a file that exists"},
};

static const struct command {
	const char *name, *operands, *what;
	const char *options; /* letters */
	int count;           /* of operands */
	int (*run)(const struct attest_options *o, char **args);
} commands[] = {
	{"key new", "FILE", "makes the tenant's identity", "", 1, attest_key_new},
	{"key public", "FILE", "prints its public half", "", 1, attest_key_public},
	{"policy init", "", "writes a policy, to be read and edited", "frceaAoF", 0,
	 attest_policy_init},
	{"evidence check", "FILE", "checks what `evidence save` has kept", "pwJ", 1,
	 attest_evidence_check},
};

static void help_all(FILE *to)
{
	fprintf(to, "usage: nether-attest COMMAND [OPTION...] [OPERAND...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-15s %-10s %s\n", commands[i].name, commands[i].operands,
			commands[i].what);
	fprintf(to, "\nnether-attest COMMAND --help has its options. Version " NETHERVISOR_VERSION
		    ".\n");
}

static void help_one(const struct command *c)
{
	printf("usage: nether-attest %s [OPTION...] %s\n%s\n", c->name, c->operands, c->what);
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

static int append(const char *list[LIST_MAX], unsigned int *count)
{
	if (*count == LIST_MAX)
		return fail(ATTEST_USAGE, "more than %u of one option", LIST_MAX);
	list[(*count)++] = optarg;
	return ATTEST_OK;
}

static int set_option(struct attest_options *o, int letter)
{
	switch (letter) {
	case 'p':
		o->policy = optarg;
		break;
	case 'w':
		o->known = optarg;
		break;
	case 'J':
		o->json = true;
		break;
	case 'f':
		o->from = optarg;
		break;
	case 'r':
		o->release = optarg;
		break;
	case 'c':
		o->ek_root = optarg;
		break;
	case 'e':
		return append(o->ek, &o->eks);
	case 'a':
		return append(o->ak, &o->aks);
	case 'A':
		o->any_host = true;
		break;
	case 'o':
		o->out = optarg;
		break;
	case 'F':
		o->force = true;
		break;
	}
	return ATTEST_OK;
}

static int parse(const struct command *c, struct attest_options *o, int argc, char **argv)
{
	int letter, status;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (letter == 'H') {
			help_one(c);
			exit(ATTEST_OK);
		}
		if (letter == '?')
			return ATTEST_USAGE;
		if (!strchr(c->options, letter))
			return fail(ATTEST_USAGE, "`%s` has no such option (see --help)", c->name);
		status = set_option(o, letter);
		if (status)
			return status;
	}
	if (argc - optind != c->count)
		return fail(ATTEST_USAGE, "usage: nether-attest %s [OPTION...] %s", c->name,
			    c->operands);
	return ATTEST_OK;
}

/* Nobody finds keys in a core file, nor by a debugger of the same user. */
static void keep_secret(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
	struct attest_options o = {0};
	const struct command *c;
	const char *why;
	int status, err;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		help_all(stdout);
		return ATTEST_OK;
	}
	c = find(&argc, &argv);
	if (!c) {
		help_all(stderr);
		return ATTEST_USAGE;
	}
	status = parse(c, &o, argc, argv);
	if (status)
		return status;
	keep_secret();
	output_init();
	err = crypto_init(&why);
	if (err && err != CRYPTO_ERR_SOURCE) /* random numbers are the system's here */
		return fail(ATTEST_ERROR, "%s", why);
	status = c->run(&o, argv + optind);
	if (fflush(stdout) || ferror(stdout))
		status =
			status == ATTEST_OK ? (fail_file("standard output"), ATTEST_ERROR) : status;
	return status;
}
