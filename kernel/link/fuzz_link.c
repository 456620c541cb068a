/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as what connectors and operators say of few identifiers: statements, merges, splits,
 * decisions, one after the other in a transaction that is thrown away.  Whatever they say, every
 * identifier leads to one patient, what was linked and not decided otherwise stays linked, and a
 * statement that is taken without a conflict holds afterwards.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/apply.h"

#define KEYS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct linkstore store;

static const char *
kind_text(void *arg, uint16_t kind, const char **ret_issuer)
{
	(void)arg, (void)kind;
	*ret_issuer = "A";
	return "patient-id";
}

static void
open_store(void)
{
	static char dir[] = "/tmp/cairn-fuzz-link-XXXXXX";

	if (store.env == NULL && (mkdtemp(dir) == NULL || linkstore_open(&store, dir, NULL) != 0))
		abort();
}

/* Half of the identifiers are patients, a quarter strong. */
static struct link_identifier
identifier(uint8_t byte)
{
	struct link_identifier ret = {.kind = 1, .shift = (int16_t)((byte & 15) - 20)};

	memset(ret.key.bytes, (byte & 15) + 1, LINK_KEY_BYTES);
	ret.patient = (byte & 15) < KEYS / 2;
	ret.strong = ret.patient || (byte & 15) < 3 * KEYS / 4;
	return ret;
}

struct input {
	const uint8_t *at, *end;
};

static uint8_t
next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static struct link_statement
statement(struct input *in, struct link_identifier *room)
{
	struct link_statement ret = {.identifiers = room, .count = 1 + (next(in) & 3)};

	for (size_t i = 0; i < ret.count; i++)
		room[i] = identifier(next(in));
	return ret;
}

static void
must_hold(struct link_writer *w, const struct link_statement *said)
{
	for (size_t i = 0; i < said->count; i++) {
		struct link_key root;
		struct link_node node;

		if (linkstore_root(&store, w->txn, &said->identifiers[i].key, &root, &node) != 0 ||
		    !link_key_same(&root, &w->out->patient) || node.shift != w->out->shift)
			abort();
	}
}

static int
step(struct link_writer *w, struct input *in)
{
	static const char *const keeps[] = {"a", "b", "merge", "x"};
	struct link_identifier room[2][4];
	struct link_statement said, other;
	uint8_t what = next(in);
	int code;

	switch (what & 7) {
	case 0:
	case 1:
	case 2:
		said = statement(in, room[0]);
		code = link_apply_statement(w, &said, (what & 8) != 0, NULL);
		if (code == 0 && w->out->conflict == 0)
			must_hold(w, &said);
		return code;
	case 3:
	case 4:
		said = statement(in, room[0]);
		other = statement(in, room[1]);
		code = link_apply_merge(w, &said, &other, NULL);
		if (code == 0 && w->out->conflict == 0)
			must_hold(w, &said), must_hold(w, &other);
		return code;
	case 5:
		room[0][0] = identifier(next(in));
		return link_apply_split(w, &room[0][0].key, NULL);
	case 6:
		room[0][0] = identifier(next(in));
		room[0][1] = identifier(next(in));
		return link_apply_join(w, &room[0][0].key, &room[0][1].key, NULL);
	default:
		return link_apply_resolve(w, next(in) & 3, keeps[(what >> 3) & 3], NULL);
	}
}

/* Every node leads to a patient. */
static void
must_lead(MDB_txn *txn)
{
	for (uint8_t i = 0; i < KEYS; i++) {
		struct link_identifier it = identifier(i);
		struct link_key root;
		struct link_node node;
		int rc = linkstore_root(&store, txn, &it.key, &root, &node);

		if (rc != MDB_NOTFOUND && (rc != 0 || !node.patient))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	MDB_txn *all;

	open_store();
	if (mdb_txn_begin(store.env, NULL, 0, &all) != 0)
		abort();
	for (unsigned i = 0; i < 64 && in.at < in.end; i++) {
		struct link_outcome out = {.linked = 0};
		struct link_writer w = {.store = &store,
		    .now_ms = i,
		    .source = "fuzz",
		    .kind_text = kind_text,
		    .out = &out};

		if (mdb_txn_begin(store.env, all, 0, &w.txn) != 0)
			abort();
		if (step(&w, &in) != 0)
			mdb_txn_abort(w.txn);
		else if (mdb_txn_commit(w.txn) != 0)
			abort();
		link_outcome_fini(&out);
		must_lead(all);
	}
	mdb_txn_abort(all);
	return 0;
}
