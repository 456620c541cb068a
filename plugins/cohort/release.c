/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LMDB: `secret`, `serial`, `bytes`; and of each set that was answered, by level, number of
 * patients and serial, a struct told and the packed set.  Only sets of nearly as many patients can
 * be near, and they are neighbours there.
 */
#include "release.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lmdb.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/file.h"

#define SECRET 32
#define MAP_EXTRA ((size_t)64 << 20)
#define SUPPRESSED UINT64_MAX

struct release {
	MDB_env *env;
	MDB_dbi dbi;
	size_t bytes_max;
	uint8_t secret[SECRET];
};

enum { KEY_SECRET = 1, KEY_TOTALS = 2, KEY_SET = 3 };

struct totals {
	uint64_t serial, bytes;
};

/* Big-endian, so that it sorts. */
struct set_key {
	uint8_t kind, level, zeros[6];
	uint64_t patients, serial;
};

struct told {
	char identity[IDENTITY_DIGITS + 1]; /* of the index in which the set is packed */
	uint8_t digest[PATIENTS_DIGEST];
	uint64_t count; /* SUPPRESSED: that they were too few */
};

/* One transaction. */
struct work {
	struct release *release;
	MDB_txn *txn;
	const struct release_question *question;
	struct totals totals;
	/* The nearest so far. */
	bool found;
	uint64_t distance, serial;
	struct told told;
};

static int
failed(int rc, const char *doing, struct cairn_error *err)
{
	return cairn_error_set(err, rc == MDB_MAP_FULL ? CAIRN_ELIMIT : CAIRN_EIO,
	    "the memory of what was told before: cannot %s: %s", doing, mdb_strerror(rc));
}

/* ---- opening ----------------------------------------------------------------------------- */

static int
load_secret(struct release *release, MDB_txn *txn)
{
	uint8_t name = KEY_SECRET;
	MDB_val key = {1, &name}, value;
	int rc = mdb_get(txn, release->dbi, &key, &value);

	if (rc == 0 && value.mv_size != SECRET)
		return MDB_CORRUPTED;
	if (rc == 0)
		memcpy(release->secret, value.mv_data, SECRET);
	if (rc != MDB_NOTFOUND)
		return rc;
	if (RAND_bytes(release->secret, SECRET) != 1)
		return EIO;
	value = (MDB_val){SECRET, release->secret};
	return mdb_put(txn, release->dbi, &key, &value, 0);
}

static int
open_env(struct release *release, const char *dir)
{
	MDB_txn *txn = NULL;
	int rc = mdb_env_create(&release->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(release->env, release->bytes_max + MAP_EXTRA);
	if (rc == 0)
		rc = mdb_env_open(release->env, dir, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_txn_begin(release->env, NULL, 0, &txn);
	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &release->dbi);
	if (rc == 0)
		rc = load_secret(release, txn);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

int
release_open(struct release **ret, const struct release_options *options, struct cairn_error *err)
{
	struct release *release = calloc(1, sizeof *release);
	int rc;

	if (release == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	release->bytes_max = options->bytes_max == 0 ? RELEASE_BYTES_MAX : options->bytes_max;
	if (mkdir(options->dir, 0700) != 0 && errno != EEXIST) {
		free(release);
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot make %s: %s", options->dir, strerror(errno));
	}
	rc = open_env(release, options->dir);
	if (rc != 0) {
		release_close(release);
		return failed(rc, "open it", err);
	}
	*ret = release;
	return 0;
}

void
release_close(struct release *release)
{
	if (release == NULL)
		return;
	if (release->env != NULL)
		mdb_env_close(release->env);
	OPENSSL_cleanse(release->secret, SECRET);
	free(release);
}

const uint8_t *
release_secret(const struct release *release)
{
	return release->secret;
}

/* ---- what was told ----------------------------------------------------------------------- */

static struct set_key
set_key(Cairn__Level level, uint64_t patients, uint64_t serial)
{
	return (struct set_key){.kind = KEY_SET,
	    .level = (uint8_t)level,
	    .patients = htobe64(patients),
	    .serial = htobe64(serial)};
}

/* UINT64_MAX: not known to be near. */
static uint64_t
distance_to(const struct work *work, const struct told *told, const MDB_val *value)
{
	const struct patient_set *set = work->question->set;
	struct buf packed = {.data = (uint8_t *)value->mv_data + sizeof *told,
	    .length = value->mv_size - sizeof *told};
	uint64_t here, there;

	if (memcmp(told->digest, set->digest, PATIENTS_DIGEST) == 0)
		return 0;
	if (strcmp(told->identity, set->identity) != 0 ||
	    patient_set_compare(&packed, &set->packed, &here, &there) != 0)
		return UINT64_MAX;
	return here + there;
}

/* The first that was told is preferred to others as near. */
static void
look_at(struct work *work, const struct set_key *key, const MDB_val *value)
{
	uint64_t distance, serial = be64toh(key->serial);
	uint64_t limit = work->question->difference > 1 ? work->question->difference : 1;
	struct told told;

	if (value->mv_size < sizeof told)
		return;
	memcpy(&told, value->mv_data, sizeof told);
	told.identity[IDENTITY_DIGITS] = 0;
	distance = distance_to(work, &told, value);
	if (distance >= limit ||
	    (work->found &&
		(distance > work->distance ||
		    (distance == work->distance && serial > work->serial))))
		return;
	work->found = true;
	work->distance = distance;
	work->serial = serial;
	work->told = told;
}

static int
look_around(struct work *work)
{
	const struct release_question *q = work->question;
	uint64_t most = q->difference > 0 ? q->difference - 1 : 0;
	uint64_t low = q->set->count > most ? q->set->count - most : 0;
	struct set_key first = set_key(q->level, low, 0), at;
	MDB_val key = {sizeof first, &first}, value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(work->txn, work->release->dbi, &cursor);

	if (rc != 0)
		return rc;
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (key.mv_size != sizeof at)
			break;
		memcpy(&at, key.mv_data, sizeof at);
		if (at.kind != KEY_SET || at.level != (uint8_t)q->level ||
		    be64toh(at.patients) > q->set->count + most)
			break;
		look_at(work, &at, &value);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
load_totals(struct work *work)
{
	uint8_t name = KEY_TOTALS;
	MDB_val key = {1, &name}, value;
	int rc = mdb_get(work->txn, work->release->dbi, &key, &value);

	if (rc == 0 && value.mv_size != sizeof work->totals)
		return MDB_CORRUPTED;
	if (rc == 0)
		memcpy(&work->totals, value.mv_data, sizeof work->totals);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
remember(struct work *work)
{
	const struct release_question *q = work->question;
	struct set_key at = set_key(q->level, q->set->count, ++work->totals.serial);
	struct told *told = &work->told;
	uint8_t name = KEY_TOTALS;
	MDB_val key = {sizeof at, &at}, value = {sizeof *told + q->set->packed.length, NULL};
	int rc;

	*told = (struct told){.count = q->set->count < q->min_cell ? SUPPRESSED : q->count};
	memcpy(told->identity, q->set->identity, sizeof told->identity);
	memcpy(told->digest, q->set->digest, sizeof told->digest);
	work->totals.bytes += value.mv_size;
	if (work->totals.bytes > work->release->bytes_max)
		return MDB_MAP_FULL;
	rc = mdb_put(work->txn, work->release->dbi, &key, &value, MDB_RESERVE);
	if (rc != 0)
		return rc;
	memcpy(value.mv_data, told, sizeof *told);
	if (q->set->packed.length > 0)
		memcpy((uint8_t *)value.mv_data + sizeof *told, q->set->packed.data,
		    q->set->packed.length);
	key = (MDB_val){1, &name};
	value = (MDB_val){sizeof work->totals, &work->totals};
	return mdb_put(work->txn, work->release->dbi, &key, &value, 0);
}

/* ---- noise ------------------------------------------------------------------------------- */

/* From -noise to noise, each alike as nearly as 64 bits can tell. */
static int64_t
noise_of(const struct release *release, const struct told *told, Cairn__Level level, uint32_t noise)
{
	uint8_t message[PATIENTS_DIGEST + 1], digest[32];
	unsigned length = sizeof digest;
	uint64_t bits;

	memcpy(message, told->digest, PATIENTS_DIGEST);
	message[PATIENTS_DIGEST] = (uint8_t)level;
	if (HMAC(EVP_sha256(), release->secret, SECRET, message, sizeof message, digest, &length) ==
	    NULL)
		return 0;
	memcpy(&bits, digest, sizeof bits);
	return (int64_t)(bits % (2 * (uint64_t)noise + 1)) - (int64_t)noise;
}

static uint64_t
with_noise(uint64_t count, int64_t noise)
{
	if (noise < 0 && (uint64_t)-noise > count)
		return 0;
	return noise < 0 ? count - (uint64_t)-noise : count + (uint64_t)noise;
}

/* ---- admitting --------------------------------------------------------------------------- */

static int
admit(struct work *work, struct release_answer *ret)
{
	const struct release_question *q = work->question;
	int rc = load_totals(work);

	if (rc == 0)
		rc = look_around(work);
	if (rc != 0)
		return rc;
	if (!work->found && q->set->count < q->all && q->all - q->set->count < q->difference) {
		ret->everybody = true;
		return 0;
	}
	if (!work->found)
		rc = remember(work);
	if (rc != 0)
		return rc;
	ret->suppressed = work->told.count == SUPPRESSED;
	ret->count = q->noise == 0 || ret->suppressed
	    ? work->told.count
	    : with_noise(
		  work->told.count, noise_of(work->release, &work->told, q->level, q->noise));
	return 0;
}

int
release_admit(struct release *release, const struct release_question *question,
    struct release_answer *ret, struct cairn_error *err)
{
	struct work work = {.release = release, .question = question};
	struct release_answer answer = {0};
	int rc = mdb_txn_begin(release->env, NULL, 0, &work.txn);

	if (rc != 0)
		return failed(rc, "write", err);
	rc = admit(&work, &answer);
	if (rc != 0 || work.found || answer.everybody)
		mdb_txn_abort(work.txn);
	else
		rc = mdb_txn_commit(work.txn);
	if (rc == MDB_MAP_FULL)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "so many different sets of patients have been answered that no more can be "
		    "remembered, and what cannot be remembered is not told; raise release_mb");
	if (rc != 0)
		return failed(rc, "write", err);
	*ret = answer;
	return 0;
}
