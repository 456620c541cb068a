/* SPDX-License-Identifier: Apache-2.0 */
#include "patients.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/text.h"
#include "cairn/imaging.pb-c.h"

#define KEY_BYTES 32
#define ASK_TIMEOUT_MS 10000

/* Direct-mapped: two patients that share a slot are asked for in turn, which is only slower. */
struct slot {
	bool used;
	uint64_t at_ms; /* of the loop */
	uint8_t key[KEY_BYTES];
	char pseudonym[DEID_PSEUDONYM_MAX + 1];
	int32_t shift;
};

struct patients {
	struct cairn *cairn;
	EVP_MD *sha256;
	EVP_MD_CTX *context;
	size_t waiting;
	struct slot slots[PATIENTS_REMEMBERED];
};

struct waiter {
	struct patients *patients;
	uint8_t key[KEY_BYTES];
	patients_fn done;
	void *arg;
};

int
patients_new(struct patients **ret, struct cairn *cairn, struct cairn_error *err)
{
	struct patients *patients = calloc(1, sizeof *patients);

	if (patients == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	patients->cairn = cairn;
	patients->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	patients->context = EVP_MD_CTX_new();
	if (patients->sha256 == NULL || patients->context == NULL) {
		patients_free(patients);
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL has no SHA-256");
	}
	*ret = patients;
	return 0;
}

void
patients_free(struct patients *patients)
{
	if (patients == NULL)
		return;
	EVP_MD_free(patients->sha256);
	EVP_MD_CTX_free(patients->context);
	free(patients);
}

static int
make_key(
    struct patients *patients, const char *identifier, const char *issuer, uint8_t ret[KEY_BYTES])
{
	EVP_MD_CTX *context = patients->context;

	/* The zero that ends the issuer keeps the two parts apart. */
	if (EVP_DigestInit_ex2(context, patients->sha256, NULL) != 1 ||
	    EVP_DigestUpdate(context, issuer, strlen(issuer) + 1) != 1 ||
	    EVP_DigestUpdate(context, identifier, strlen(identifier)) != 1 ||
	    EVP_DigestFinal_ex(context, ret, NULL) != 1)
		return CAIRN_EINTERNAL;
	return 0;
}

static struct slot *
slot_of(struct patients *patients, const uint8_t key[KEY_BYTES])
{
	uint32_t index;

	memcpy(&index, key, sizeof index);
	return &patients->slots[index % PATIENTS_REMEMBERED];
}

static void
tell(const struct waiter *waiter, const struct slot *slot)
{
	struct deid_patient patient = {slot->pseudonym, slot->shift};

	waiter->done(waiter->arg, 0, "", &patient);
}

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct waiter *waiter = arg;
	struct slot *slot = slot_of(waiter->patients, waiter->key);
	Cairn__PseudonymAnswer *answer = NULL;

	waiter->patients->waiting--;
	if (code == 0)
		answer = cairn__pseudonym_answer__unpack(NULL, length, body);
	if (answer != NULL &&
	    text_copy(slot->pseudonym, sizeof slot->pseudonym, answer->pseudonym)) {
		slot->used = true;
		slot->at_ms = uv_now(cairn_loop(waiter->patients->cairn));
		slot->shift = answer->date_shift_days;
		memcpy(slot->key, waiter->key, KEY_BYTES);
		tell(waiter, slot);
	} else {
		waiter->done(waiter->arg, code == 0 ? CAIRN_EPROTO : code,
		    code == 0 ? "the kernel's pseudonym cannot be read" : text, NULL);
	}
	if (answer != NULL)
		cairn__pseudonym_answer__free_unpacked(answer, NULL);
	free(waiter);
}

static int
ask(struct patients *patients, const char *identifier, const char *issuer, struct waiter *waiter)
{
	Cairn__PseudonymRequest request = CAIRN__PSEUDONYM_REQUEST__INIT;
	uint8_t body[2 * DEID_TEXT_MAX + 128];
	size_t length;

	request.identifier_type = (char *)(uintptr_t) "patient-id";
	request.issuer = (char *)(uintptr_t)issuer;
	request.identifier = (char *)(uintptr_t)identifier;
	length = cairn__pseudonym_request__get_packed_size(&request);
	if (length > sizeof body)
		return CAIRN_ELIMIT;
	cairn__pseudonym_request__pack(&request, body);
	return cairn_call(
	    patients->cairn, "pseudonym.patient", body, length, ASK_TIMEOUT_MS, answered, waiter);
}

int
patients_find(struct patients *patients, const char *identifier, const char *issuer,
    patients_fn done, void *arg, bool *ret_now, struct cairn_error *err)
{
	struct waiter known = {.patients = patients, .done = done, .arg = arg};
	struct waiter *waiter;
	struct slot *slot;
	int code = make_key(patients, identifier, issuer, known.key);

	if (code != 0)
		return cairn_error_set(err, code, "cannot digest the patient's identifier");
	slot = slot_of(patients, known.key);
	*ret_now = slot->used && memcmp(slot->key, known.key, KEY_BYTES) == 0 &&
	    uv_now(cairn_loop(patients->cairn)) - slot->at_ms < PATIENTS_FRESH_MS;
	if (*ret_now) {
		tell(&known, slot);
		return 0;
	}
	if (patients->waiting == PATIENTS_WAITING_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "too many patients wait for a pseudonym");
	waiter = malloc(sizeof *waiter);
	if (waiter == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*waiter = known;
	patients->waiting++;
	code = ask(patients, identifier, issuer, waiter);
	if (code != 0) {
		patients->waiting--;
		free(waiter);
		return cairn_error_set(
		    err, code, "cannot ask for a pseudonym: %s", cairn_code_text(code));
	}
	return 0;
}
