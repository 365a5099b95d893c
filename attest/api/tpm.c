/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/tpm.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include "attest/api/limits.h"
#include "attest/api/metrics.h"
#include "attest/api/tpm_keys.h"
#include "attest/netherd/process.h"

/* First handles (TPM 2.0 part 2, 7.4). */
#define TRANSIENT 0x80000000u
#define LOADED_SESSION 0x02000000u

#define QUEUE_MAX 64u
#define QUEUE_TENANT 2u /* of one tenant: the others get their turn */
#define WAIT_SECONDS 20 /* in the queue */
#define STUCK_MS 30000  /* that one command takes at most */

static const char *conf;
static char ak_path[PATH_MAX];
static unsigned int queue_max;
static struct tpm tpm = {.ek = ESYS_TR_NONE, .ak = ESYS_TR_NONE};

/* Who waits, and who has it: in their order. */
static struct {
	const char *tenant;
	uint64_t ticket;
} waiting[QUEUE_MAX + 1];
static unsigned int count;
static uint64_t next_ticket, since; /* since: when the first got it, or 0 */
static bool works;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn;

/* --- the queue ---------------------------------------------------------------------------------- */

static bool may_wait(const char *tenant)
{
	unsigned int same = 0;

	for (unsigned int i = 0; i < count; i++)
		same += !strcmp(waiting[i].tenant, tenant);
	return count <= queue_max && same < QUEUE_TENANT;
}

static void leave(uint64_t ticket)
{
	for (unsigned int i = 0; i < count; i++) {
		if (waiting[i].ticket != ticket)
			continue;
		memmove(&waiting[i], &waiting[i + 1], (count - i - 1) * sizeof(waiting[0]));
		count--;
		break;
	}
	pthread_cond_broadcast(&turn);
}

/* Until it is the caller's turn. The tenant's name stays the caller's. */
static bool enter(const char *tenant, uint64_t *ticket)
{
	struct timespec until;
	bool mine;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_SECONDS;
	pthread_mutex_lock(&lock);
	if (!may_wait(tenant)) {
		pthread_mutex_unlock(&lock);
		return false;
	}
	*ticket = ++next_ticket;
	waiting[count].tenant = tenant;
	waiting[count++].ticket = *ticket;
	while (waiting[0].ticket != *ticket) {
		if (pthread_cond_timedwait(&turn, &lock, &until))
			break;
	}
	mine = waiting[0].ticket == *ticket;
	if (mine)
		since = limits_now();
	else
		leave(*ticket);
	pthread_mutex_unlock(&lock);
	return mine;
}

static void done(uint64_t ticket, bool ok)
{
	pthread_mutex_lock(&lock);
	since = 0;
	works = ok;
	leave(ticket);
	pthread_mutex_unlock(&lock);
}

bool tpm_healthy(void)
{
	bool ok;

	pthread_mutex_lock(&lock);
	ok = works && (!since || limits_now() - since < STUCK_MS);
	pthread_mutex_unlock(&lock);
	return ok;
}

/* --- the connection ----------------------------------------------------------------------------- */

static void disconnect(void)
{
	if (tpm.esys)
		tpm_keys_flush(&tpm);
	Esys_Finalize(&tpm.esys);
	Tss2_TctiLdr_Finalize(&tpm.tcti);
}

static void flush_all(TPM2_HANDLE first)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;

	if (Esys_GetCapability(tpm.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
			       first, TPM2_MAX_CAP_HANDLES, &more, &data))
		return;
	for (UINT32 i = 0; i < data->data.handles.count; i++) {
		ESYS_TR object;

		if (!Esys_TR_FromTPMPublic(tpm.esys, data->data.handles.handle[i], ESYS_TR_NONE,
					   ESYS_TR_NONE, ESYS_TR_NONE, &object))
			Esys_FlushContext(tpm.esys, object);
	}
	Esys_Free(data);
}

/*
 * Without a resource manager there is one user at a time, and what is loaded was left by a process that was killed. With
 * the kernel's, that has cleaned up, and sessions that one sees are others'.
 */
static void flush_leftovers(void)
{
	if (strstr(conf, "tpmrm"))
		return;
	flush_all(TRANSIENT);
	flush_all(LOADED_SESSION);
}

static TSS2_RC connect_tpm(void)
{
	TSS2_RC rc;

	if (tpm.esys)
		return TSS2_RC_SUCCESS;
	rc = Tss2_TctiLdr_Initialize(conf, &tpm.tcti);
	if (rc)
		return rc;
	rc = Esys_Initialize(&tpm.esys, tpm.tcti, NULL);
	if (!rc) {
		flush_leftovers();
		rc = tpm_keys_load(&tpm, ak_path);
	}
	if (rc)
		disconnect();
	else
		process_say("TPM: connected");
	return rc;
}

typedef TSS2_RC (*operation)(void *arg);

static TSS2_RC do_nothing(void *arg)
{
	TPM2B_DIGEST *random = NULL;
	TSS2_RC rc = Esys_GetRandom(tpm.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, 8, &random);

	Esys_Free(random);
	return rc;
}

/*
 * Whether it is what the caller brought that the TPM does not like: an error about a parameter (TPM 2.0 part 2, 6.6); or a
 * failure, which a ciphertext that is not the key's gives with some, if the TPM is well otherwise.
 */
static bool is_refusal(TSS2_RC rc)
{
	return tpm_keys_rejected(rc) || (rc == TPM2_RC_FAILURE && !do_nothing(NULL));
}

/* What fails is tried once more over a new connection. ours: no parameter is from outside. */
static enum tpm_status attempt(operation fn, void *arg, bool ours)
{
	TSS2_RC rc = 0;

	for (int tries = 0; tries < 2; tries++) {
		rc = connect_tpm();
		if (!rc) {
			rc = fn(arg);
			if (rc && !ours && is_refusal(rc))
				return TPM_REFUSED;
		}
		if (!rc)
			return TPM_OK;
		metrics_tpm_error();
		disconnect();
	}
	if (tpm_healthy())
		process_say("TPM: error 0x%x", rc);
	return TPM_GONE;
}

static enum tpm_status use(const char *tenant, operation fn, void *arg, bool ours)
{
	enum tpm_status status;
	uint64_t ticket;

	if (!enter(tenant, &ticket))
		return TPM_QUEUE;
	status = attempt(fn, arg, ours);
	done(ticket, status != TPM_GONE);
	return status;
}

void tpm_start(const char *tcti, const char *dir, unsigned int queue)
{
	pthread_condattr_t attr;

	setenv("TSS2_LOG", "all+none", 0); /* else whoever sends nonsense fills the log */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&turn, &attr);
	pthread_condattr_destroy(&attr);
	conf = tcti;
	queue_max = queue;
	snprintf(ak_path, sizeof(ak_path), "%s/ak", dir);
}

void tpm_stop(void)
{
	uint64_t ticket;

	if (!enter("", &ticket))
		return;
	disconnect();
	done(ticket, false);
}

/* --- what it is asked --------------------------------------------------------------------------- */

void tpm_poll(void)
{
	bool idle;

	pthread_mutex_lock(&lock);
	idle = count == 0;
	pthread_mutex_unlock(&lock);
	if (idle)
		use("", do_nothing, NULL, true);
}

static TSS2_RC do_identity(void *arg)
{
	*(struct tpm_identity *)arg = tpm.identity;
	return TSS2_RC_SUCCESS;
}

enum tpm_status tpm_identity(const char *tenant, struct tpm_identity *out)
{
	return use(tenant, do_identity, out, true);
}

struct activation {
	TPM2B_ID_OBJECT blob;
	TPM2B_ENCRYPTED_SECRET secret;
	struct tpm_blob *out;
};

static TSS2_RC do_activate(void *arg)
{
	struct activation *a = arg;
	TPM2B_DIGEST *credential = NULL;
	ESYS_TR session;
	TSS2_RC rc = tpm_keys_session(&tpm, &session);

	if (rc)
		return TSS2_ESYS_RC_GENERAL_FAILURE; /* no parameter was the caller's yet */
	rc = Esys_ActivateCredential(tpm.esys, tpm.ak, tpm.ek, ESYS_TR_PASSWORD, session,
				     ESYS_TR_NONE, &a->blob, &a->secret, &credential);
	Esys_FlushContext(tpm.esys, session);
	if (rc)
		return rc;
	a->out->bytes = credential->size;
	memcpy(a->out->data, credential->buffer, credential->size);
	explicit_bzero(credential, sizeof(*credential));
	Esys_Free(credential);
	return TSS2_RC_SUCCESS;
}

enum tpm_status tpm_activate(const char *tenant, const uint8_t *blob, size_t blob_bytes,
			     const uint8_t *secret, size_t secret_bytes, struct tpm_blob *out)
{
	struct activation a = {.out = out};
	size_t at = 0;

	if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(blob, blob_bytes, &at, &a.blob) || at != blob_bytes)
		return TPM_REFUSED;
	at = 0;
	if (Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(secret, secret_bytes, &at, &a.secret) ||
	    at != secret_bytes)
		return TPM_REFUSED;
	return use(tenant, do_activate, &a, false);
}

struct quoting {
	TPM2B_DATA qualifying;
	bool txt;
	struct tpm_blob *quote, *signature;
};

static TSS2_RC do_quote(void *arg)
{
	struct quoting *q = arg;
	static const TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_NULL};
	/* 0 to 9, 11, 12, 14; 17 and 18. */
	const TPML_PCR_SELECTION pcrs = {
		.count = 1,
		.pcrSelections = {{.hash = TPM2_ALG_SHA256,
				   .sizeofSelect = 3,
				   .pcrSelect = {0xff, 0x5b, q->txt ? 0x06 : 0}}},
	};
	TPM2B_ATTEST *quoted = NULL;
	TPMT_SIGNATURE *signature = NULL;
	TSS2_RC rc = Esys_Quote(tpm.esys, tpm.ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				&q->qualifying, &scheme, &pcrs, &quoted, &signature);

	if (rc)
		return rc;
	q->quote->bytes = quoted->size;
	memcpy(q->quote->data, quoted->attestationData, quoted->size);
	q->signature->bytes = 0;
	rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, q->signature->data,
					    sizeof(q->signature->data), &q->signature->bytes);
	Esys_Free(quoted);
	Esys_Free(signature);
	return rc;
}

enum tpm_status tpm_quote(const char *tenant, const uint8_t qualifying[32], bool txt,
			  struct tpm_blob *quote, struct tpm_blob *signature)
{
	struct quoting q = {.qualifying = {.size = 32},
			    .txt = txt,
			    .quote = quote,
			    .signature = signature};

	memcpy(q.qualifying.buffer, qualifying, 32);
	return use(tenant, do_quote, &q, true);
}
