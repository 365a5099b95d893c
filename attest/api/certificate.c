/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/api/text.h"
#include "attest/netherd/process.h"

#define YEARS 10

static int add(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	int ok = e && X509_add_ext(x, e, -1);

	X509_EXTENSION_free(e);
	return ok;
}

static int set_serial(X509 *x)
{
	unsigned char random[16];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(random, sizeof(random)) != 1)
		return 0;
	random[0] &= 0x7f;
	n = BN_bin2bn(random, sizeof(random), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static int set_names(X509 *x)
{
	char host[HOST_NAME_MAX + 1] = "localhost", names[2 * HOST_NAME_MAX];
	X509_NAME *name = X509_get_subject_name(x);

	if (gethostname(host, sizeof(host) - 1) || strspn(host, "abcdefghijklmnopqrstuvwxyz"
								"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
								"0123456789.-") != strlen(host))
		strcpy(host, "localhost");
	snprintf(names, sizeof(names), "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", host);
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *)"netherd-api",
					  -1, -1, 0) &&
	       X509_set_issuer_name(x, name) && add(x, NID_subject_alt_name, names);
}

static X509 *sign(EVP_PKEY *key)
{
	X509 *x = X509_new();

	if (x && X509_set_version(x, 2) && set_serial(x) &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -24L * 3600) &&
	    X509_time_adj_ex(X509_getm_notAfter(x), 365 * YEARS, 0, NULL) &&
	    X509_set_pubkey(x, key) && set_names(x) &&
	    add(x, NID_basic_constraints, "critical,CA:TRUE") &&
	    add(x, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
	    add(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}

/* A new file, or NULL. */
static FILE *create(const char *dir, const char *name, unsigned int mode)
{
	char path[PATH_MAX];
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0) {
		process_say("%s: %s", path, strerror(errno));
		return NULL;
	}
	f = fchmod(fd, mode) ? NULL : fdopen(fd, "w"); /* whatever the umask */
	if (!f)
		close(fd);
	return f;
}

static int finish(FILE *f, int ok)
{
	ok = f && ok && !fflush(f) && !fsync(fileno(f));
	if (f)
		fclose(f);
	return ok;
}

static int write_both(const char *dir, EVP_PKEY *key, X509 *x)
{
	FILE *f = create(dir, "key.pem", 0600);
	int ok = finish(f, f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));

	if (!ok)
		return 0;
	f = create(dir, "cert.pem", 0644);
	return finish(f, f && PEM_write_X509(f, x));
}

/* What --tls-pin takes: of the SubjectPublicKeyInfo. */
static int hash_key(EVP_PKEY *key, unsigned char hash[32])
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der), ok;

	ok = n > 0 && EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	return ok;
}

int certificate_make(const char *dir)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? sign(key) : NULL;
	unsigned char hash[32];
	char text[65];
	int ok = x && hash_key(key, hash) && write_both(dir, key, x);

	if (ok) {
		text_to_hex(hash, sizeof(hash), text);
		printf("%s\n", text);
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return ok ? 0 : -1;
}
