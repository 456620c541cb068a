/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's look at the ledger: its newest records quickly, or all of it. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/doctor.h"
#include "identity/identity.h"
#include "ledger/ledger.h"

#define TAIL_RECORDS 1000
#define RECORD_MAX ((size_t)1 << 20)
#define CLOCK_JUMP_MS 60000

static const char tampered[] = "what was done with the data can no longer be proven";
static const char compare[] =
    "keep the files as they are, run `cairn ledger verify`, and compare with a backup";

/* H(0x00 || record), RFC 9162 2.1.1 */
static bool
leaf_hash(const struct buf *record, uint8_t ret[32])
{
	static const uint8_t prefix = 0;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool well = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(context, &prefix, 1) == 1 &&
	    EVP_DigestUpdate(context, record->data, record->length) == 1 &&
	    EVP_DigestFinal_ex(context, ret, NULL) == 1;

	EVP_MD_CTX_free(context);
	return well;
}

struct tail {
	struct ledger_reader *reader;
	uint8_t hash[32]; /* of the record before */
	uint64_t time_ms; /* its time */
	bool any;
	uint64_t jumped; /* the record before which the clock was set back */
	uint64_t jump_ms;
};

/* 0, or why record `index` does not follow the one before. */
static int
follow(struct tail *tail, uint64_t index, struct cairn_error *err)
{
	BUF_AUTO bytes = {.max = RECORD_MAX};
	Cairn__Record *record = NULL;
	int code = ledger_reader_bytes(tail->reader, index, &bytes, err);

	if (code == 0)
		code = ledger_reader_get(tail->reader, index, &record, err);
	if (code != 0)
		return code;
	if (tail->any &&
	    (record->previous.len != 32 || memcmp(record->previous.data, tail->hash, 32) != 0))
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "record %" PRIu64 " does not follow the one before it", index);
	if (tail->any && record->time_ms + CLOCK_JUMP_MS < tail->time_ms) {
		tail->jumped = index;
		tail->jump_ms = tail->time_ms - record->time_ms;
	}
	tail->time_ms = record->time_ms;
	tail->any = leaf_hash(&bytes, tail->hash);
	cairn__record__free_unpacked(record, NULL);
	return code;
}

static int
check_checkpoint(struct ledger_reader *reader, EVP_PKEY *key, struct cairn_error *err)
{
	uint8_t said[32], found[32];
	uint64_t size = 0;
	char *note = NULL;
	int code = ledger_reader_checkpoint(reader, &note, err);

	if (code == CAIRN_ENOTFOUND)
		return 0; /* the node has just begun */
	if (code == 0)
		code = ledger_checkpoint_verify(note, key, &size, said, err);
	if (code == 0)
		code = ledger_reader_root(reader, size, found, err);
	if (code == 0 && memcmp(said, found, 32) != 0)
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "the tree of the first %" PRIu64 " records is not the one that was signed",
		    size);
	free(note);
	return code;
}

static void
say_clock(struct doctor *doctor, const struct tail *tail)
{
	uint64_t now = clock_wall_ms();

	if (tail->jump_ms != 0)
		doctor_say(doctor, "kernel", DOCTOR_WARNING,
		    "times in the ledger do not tell the order of what was done; the record "
		    "numbers do",
		    "see that the machine keeps its time: timedatectl",
		    "the clock was set back by %" PRIu64 " s before record %" PRIu64,
		    tail->jump_ms / 1000, tail->jumped);
	if (tail->time_ms > now + CLOCK_JUMP_MS)
		doctor_say(doctor, "kernel", DOCTOR_FAULT,
		    "permits expire at the wrong time, and records are dated wrongly",
		    "set the clock: timedatectl",
		    "the clock is wrong: the newest record is from %" PRIu64 " s in the future",
		    (tail->time_ms - now) / 1000);
}

static void
look_at_tail(struct doctor *doctor, struct ledger_reader *reader, EVP_PKEY *key)
{
	uint64_t count = ledger_reader_count(reader);
	uint64_t first = count > TAIL_RECORDS ? count - TAIL_RECORDS : 0;
	struct tail tail = {.reader = reader};
	struct cairn_error err = {0};
	int code = check_checkpoint(reader, key, &err);

	for (uint64_t i = first; code == 0 && i < count; i++)
		code = follow(&tail, i, &err);
	if (code != 0)
		doctor_say(
		    doctor, "kernel", DOCTOR_FAULT, tampered, compare, "the ledger: %s", err.text);
	else
		doctor_say(doctor, "kernel", DOCTOR_FINE, "", "",
		    "the ledger's newest %" PRIu64 " of %" PRIu64
		    " records and its last checkpoint are intact",
		    count - first, count);
	say_clock(doctor, &tail);
}

static void
verify_all(struct doctor *doctor, const char *dir, EVP_PKEY *key)
{
	struct ledger_report report = {.bad_record = UINT64_MAX};
	struct cairn_error err = {0};

	if (ledger_verify(dir, key, &report, NULL, NULL, &err) != 0)
		doctor_say(
		    doctor, "kernel", DOCTOR_FAULT, tampered, compare, "the ledger: %s", err.text);
	else
		doctor_say(doctor, "kernel", DOCTOR_FINE, "", "",
		    "the whole ledger is intact: %" PRIu64 " records, %" PRIu64 " checkpoints",
		    report.records, report.checkpoints);
}

void
doctor_ledger(struct doctor *doctor)
{
	struct cairn_error err = {0};
	struct ledger_reader *reader = NULL;
	char keys[PATH_MAX], dir[PATH_MAX];
	EVP_PKEY *key = NULL;

	if (file_join(keys, sizeof keys, doctor->cli->home, "keys") != 0 ||
	    file_join(dir, sizeof dir, doctor->cli->home, "state/kernel/ledger") != 0 ||
	    !file_exists(dir))
		return; /* the node has not run yet */
	if (identity_public_key(keys, &key, &err) != 0) {
		doctor_say(doctor, "kernel", DOCTOR_FAULT, "the ledger cannot be checked",
		    "bring keys/ back from where they are kept", "%s", err.text);
		return;
	}
	if (doctor->full)
		verify_all(doctor, dir, key);
	if (ledger_reader_open(&reader, dir, &err) != 0)
		doctor_say(
		    doctor, "kernel", DOCTOR_FAULT, tampered, compare, "the ledger: %s", err.text);
	else
		look_at_tail(doctor, reader, key);
	ledger_reader_close(reader);
	EVP_PKEY_free(key);
}
