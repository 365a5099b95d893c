/* SPDX-License-Identifier: Apache-2.0 */
/* nether-attest: whether a host runs what its tenant trusts, and his images' keys to it if so. docs/nether-attest.md */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "attest/tool/known.h"
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
	{"token-file", required_argument, NULL, 't'},
	{"tls-pin", required_argument, NULL, 'n'},
	{"cacert", required_argument, NULL, 'C'},
	{"image", required_argument, NULL, 'i'},
	{"stored", required_argument, NULL, 's'},
	{"key", required_argument, NULL, 'k'},
	{"identity", required_argument, NULL, 'I'},
	{"launch-digest", required_argument, NULL, 'd'},
	{"vm", required_argument, NULL, 'v'},
	{"drive", required_argument, NULL, 'D'},
	{"plain", required_argument, NULL, 'P'},
	{"consent", no_argument, NULL, 'O'},
	{"again", no_argument, NULL, 'G'},
	{"expires", required_argument, NULL, 'x'},
	{"lease", required_argument, NULL, 'l'},
	{"every", required_argument, NULL, 'y'},
	{"count", required_argument, NULL, 'N'},
	{"no-wait", no_argument, NULL, 'W'},
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
	{"t", "--token-file FILE what the host gave the tenant: of mode 0600 or 0400"},
	{"n", "--tls-pin HASH    SHA-256 of the host's SubjectPublicKeyInfo; this, or"},
	{"C", "--cacert FILE     certificates that the host's leads to"},
	{"i", "--image RECEIPT   of the image (see nether-image); or its UUID, with --consent"},
	{"s", "--stored NAME     the image's name at the host (default: the VM's)"},
	{"k", "--key FILE        the image's master key (`nether-image key new`)"},
	{"I", "--identity FILE   the tenant's (`key new`)"},
	{"d", "--launch-digest D of the only guest that gets the disk"},
	{"v", "--vm NAME         which the host is to start with it"},
	{"D",
	 "--drive N         0 primary master (the default) to 3 secondary slave; or AHCI's port 0 to 3"},
	{"P", "--plain N[,N..]   drives that may be plain, not encrypted"},
	{"O",
	 "--consent         also to an image that is newer than the receipt, or was not closed"},
	{"G", "--again           the image was run at this host before: not from before that"},
	{"x", "--expires SECONDS until which the message may be taken (default 600, at most 3600)"},
	{"l", "--lease SECONDS   after which the guest is stopped (default: never)"},
	{"y", "--every SECONDS   between two looks"},
	{"N", "--count N         looks (default: no end)"},
	{"W", "--no-wait         does not wait until the guest runs, or the host has given it up"},
};

static const struct command {
	const char *name, *operands, *what;
	const char *options; /* letters */
	int count;           /* of operands */
	int (*run)(const struct attest_options *o, char **args);
} commands[] = {
	{"key new", "FILE", "makes the tenant's identity", "", 1, attest_key_new},
	{"key public", "FILE", "prints its public half", "", 1, attest_key_public},
	{"policy init", "", "writes a policy, to be read and edited", "frceaAwoF", 0,
	 attest_policy_init},
	{"verify", "HOST", "whether the host is what the policy says", "pwJtnC", 1, attest_verify},
	{"release", "HOST", "gives an image's keys to the host's monitor, if it verifies",
	 "pwJtnCiskIdvDPOGxloFW", 1, attest_release},
	{"watch", "HOST", "verifies again and again; ends with what is wrong", "pwJtnCyN", 1,
	 attest_watch},
	{"evidence save", "HOST FILE", "keeps what the host answers", "pwJtnCF", 2,
	 attest_evidence_save},
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

static int number(const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long n = strtoul(optarg, &end, 10);

	if (*optarg < '0' || *optarg > '9' || *end || n < min || n > max)
		return fail(ATTEST_USAGE, "%s is a number from %lu to %lu", name,
			    (unsigned long)min, (unsigned long)max);
	*out = n;
	return ATTEST_OK;
}

/* A list of drives, or ports, into bits. */
static int drives(unsigned int *bits)
{
	*bits = 0;
	for (const char *at = optarg; *at >= '0' && *at <= '3'; at += 2) {
		*bits |= 1u << (*at - '0');
		if (!at[1])
			return ATTEST_OK;
		if (at[1] != ',')
			break;
	}
	return fail(ATTEST_USAGE, "--plain is numbers from 0 to 3, with commas");
}

/* Options whose text is taken as it is. */
static const char **text_option(struct attest_options *o, int letter)
{
	const struct {
		char letter;
		const char **to;
	} texts[] = {
		{'p', &o->policy},   {'w', &o->known},  {'f', &o->from},   {'r', &o->release},
		{'c', &o->ek_root},  {'o', &o->out},    {'t', &o->token},  {'n', &o->pin},
		{'C', &o->cacert},   {'i', &o->image},  {'s', &o->stored}, {'k', &o->key},
		{'I', &o->identity}, {'d', &o->digest}, {'v', &o->vm},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].letter == letter)
			return texts[i].to;
	return NULL;
}

static int set_option(struct attest_options *o, int letter)
{
	const char **text = text_option(o, letter);
	uint64_t n = 0;
	int status;

	if (text)
		*text = optarg;
	switch (letter) {
	case 'J':
		o->json = true;
		break;
	case 'e':
		return append(o->ek, &o->eks);
	case 'a':
		return append(o->ak, &o->aks);
	case 'A':
		o->any_host = true;
		break;
	case 'F':
		o->force = true;
		break;
	case 'O':
		o->consent = true;
		break;
	case 'G':
		o->again = true;
		break;
	case 'W':
		o->no_wait = true;
		break;
	case 'D':
		status = number("--drive", 0, 3, &n);
		o->drive = (unsigned int)n;
		return status;
	case 'P':
		return drives(&o->plain);
	case 'x':
		return number("--expires", 1, 3600, &o->expires);
	case 'l':
		return number("--lease", 1, 1u << 30, &o->lease);
	case 'y':
		return number("--every", 1, 1u << 20, &o->every);
	case 'N':
		return number("--count", 1, 1u << 30, &o->count);
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
	if (strchr(c->options, 'n') && !o->pin && !o->cacert)
		return fail(ATTEST_USAGE, "`%s` takes --tls-pin or --cacert", c->name);
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
	struct attest_options o = {.expires = 600};
	char known[PATH_MAX];
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
	if (!status && strchr(c->options, 'w') && !o.known) {
		status = known_default(known);
		o.known = known;
	}
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
