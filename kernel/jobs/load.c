/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/journal.h"

#include <string.h>

#include <openssl/evp.h>

#include "ledger/env.h"

/*
 * Opening.  "running" in the table meta says that the node before did not close: a kill or a power
 * cut.  Then what was in flight counts as an attempt and is suspect (it may be what killed the
 * node), and every job that is left is strict: its next attempt must be on disk before it is handed
 * out, so that a job which kills the node faster than a commit still runs out of attempts.
 */

#define KEYS_REMEMBERED 100000
#define KEYS_REMEMBERED_MAX 10000000
#define MAP_SIZE (UINT64_C(64) << 30)
#define RESERVE_MIN (UINT64_C(1) << 20)

typedef int (*row_fn)(struct journal *journal, MDB_txn *txn, const MDB_val *key,
    const MDB_val *value, const struct journal_found *found);

/* Calls `row` for every row of a table.  `row` returns 0 or a cairn_code. */
static int
each_row(struct journal *journal, MDB_txn *txn, MDB_dbi dbi, row_fn row,
    const struct journal_found *found)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, dbi, &cursor), code = 0;

	if (rc != 0)
		return CAIRN_EIO;
	while (code == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		code = row(journal, txn, &key, &value, found);
	mdb_cursor_close(cursor);
	return code != 0 ? code : (rc == MDB_NOTFOUND ? 0 : CAIRN_ECORRUPT);
}

static int
load_queue(struct journal *journal, MDB_txn *txn, const MDB_val *key, const MDB_val *value,
    const struct journal_found *found)
{
	uint64_t number = 0;
	struct queue_row row;

	(void)txn;
	if (!env_key_get(key, &number) || number >= QUEUES_MAX ||
	    queue_row_decode(value, &row) != 0)
		return CAIRN_ECORRUPT;
	journal->rows[number] = row;
	return found->queue(found->arg, (uint16_t)number, &row);
}

static int
load_key(struct journal *journal, MDB_txn *txn, const MDB_val *key, const MDB_val *value,
    const struct journal_found *found)
{
	struct keyring *ring;
	uint64_t number = 0;
	uint16_t queue = 0;

	(void)txn;
	(void)found;
	if (ring_key_decode(key, &queue, &number) != 0 || value->mv_size != KEYRING_HASH)
		return CAIRN_ECORRUPT;
	ring = &journal->rings[queue];
	if (ring->next == ring->first)
		keyring_start(ring, number);
	if (number != ring->next || keyring_has(ring, value->mv_data))
		return CAIRN_ECORRUPT;
	return keyring_push(ring, value->mv_data);
}

/* See store.h for how the attempts of a job without a state are known. */
static struct job_item
assess(const struct journal *journal, uint64_t id, uint16_t queue, const struct state *state,
    bool stated)
{
	struct job_item item = {.order = id, .id = id, .queue = queue, .attempt = state->attempt};
	bool in_flight =
	    stated ? (state->flags & STATE_IN_FLIGHT) != 0 : id <= journal->rows[queue].taken_up_to;

	if (!stated && in_flight)
		item.attempt = 1;
	if (in_flight && !journal->unclean && item.attempt > 0)
		item.attempt--; /* the node closed in order: not the job's fault */
	if (stated)
		item.flags |= JOB_STATED;
	if (journal->unclean)
		item.flags |= JOB_STRICT;
	if ((state->flags & STATE_SUSPECT) != 0 || (in_flight && journal->unclean))
		item.flags |= JOB_SUSPECT;
	return item;
}

static int
load_job(struct journal *journal, MDB_txn *txn, const MDB_val *key, const MDB_val *value,
    const struct journal_found *found)
{
	struct record record;
	struct state state;
	uint64_t id = 0;
	bool stated;

	if (!env_key_get(key, &id) || id == 0 || record_decode(value, &record) != 0 ||
	    journal->rows[record.queue].name[0] == 0 ||
	    jobstore_state(&journal->store, txn, id, &state, &stated) != 0)
		return CAIRN_ECORRUPT;
	if (id >= journal->next_id)
		journal->next_id = id + 1;
	return found->job(found->arg, assess(journal, id, record.queue, &state, stated),
	    (state.flags & STATE_DEAD) != 0);
}

/* Ids must not be given again to jobs behind a watermark that says "taken". */
static void
skip_taken(struct journal *journal)
{
	for (size_t i = 0; i < QUEUES_MAX; i++)
		if (journal->rows[i].taken_up_to >= journal->next_id)
			journal->next_id = journal->rows[i].taken_up_to + 1;
}

static int
load(struct journal *journal, MDB_txn *txn, const struct journal_found *found)
{
	char name[] = "running", yes[] = "1";
	MDB_val key = {sizeof name - 1, name}, value = {1, yes};
	int rc = mdb_put(txn, journal->store.meta, &key, &value, MDB_NOOVERWRITE), code;

	if (rc != 0 && rc != MDB_KEYEXIST)
		return rc == MDB_MAP_FULL ? CAIRN_ELIMIT : CAIRN_EIO;
	journal->unclean = rc == MDB_KEYEXIST;
	code = each_row(journal, txn, journal->store.queues, load_queue, found);
	if (code == 0)
		code = each_row(journal, txn, journal->store.keys, load_key, found);
	if (code == 0)
		code = each_row(journal, txn, journal->store.jobs, load_job, found);
	for (size_t i = 0; i < QUEUES_MAX; i++)
		keyring_settle(&journal->rings[i], UINT64_MAX); /* the next commit drops old ones */
	skip_taken(journal);
	return code;
}

static int
load_all(struct journal *journal, const char *dir, const struct journal_found *found,
    struct cairn_error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(journal->store.env, NULL, 0, &txn), code;

	if (rc != 0)
		return env_error(rc, "reading jobs", err);
	code = load(journal, txn, found);
	if (code != 0) {
		mdb_txn_abort(txn);
		return cairn_error_set(err, code,
		    "cannot read the jobs in %s: %s; nothing was changed; "
		    "keep a copy and restore a backup",
		    dir, cairn_code_text(code));
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : env_error(rc, "opening the jobs", err);
}

int
journal_open(struct journal *journal, const struct jobs_options *options,
    const struct journal_found *found, struct cairn_error *err)
{
	uint64_t size = options->map_size_max == 0 ? MAP_SIZE : options->map_size_max;
	uint64_t reserve = size / 8 < RESERVE_MIN ? RESERVE_MIN : size / 8;
	int code;

	*journal = (struct journal){.store.lock_fd = -1, .next_id = 1, .map_size_max = size};
	journal->keys_remembered =
	    options->keys_remembered == 0 ? KEYS_REMEMBERED : options->keys_remembered;
	if (journal->keys_remembered > KEYS_REMEMBERED_MAX)
		journal->keys_remembered = KEYS_REMEMBERED_MAX;
	journal->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	journal->md_ctx = EVP_MD_CTX_new();
	if (journal->md == NULL || journal->md_ctx == NULL)
		code = cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL offers no SHA-256");
	else
		code = jobstore_open(&journal->store, options->dir, size + reserve, err);
	if (code == 0)
		code = load_all(journal, options->dir, found, err);
	if (code != 0)
		journal_close(journal);
	return code;
}

void
journal_close(struct journal *journal)
{
	for (size_t i = 0; i < QUEUES_MAX; i++)
		keyring_fini(&journal->rings[i]);
	EVP_MD_CTX_free(journal->md_ctx);
	EVP_MD_free(journal->md);
	journal->md_ctx = NULL;
	journal->md = NULL;
	jobstore_close(&journal->store);
}
