/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pseudonyms.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "cairn/facts.pb-c.h"
#include "depth.h"
#include "node/node.h"
#include "node/services.h"
#include "node/words.h"

#define TEXT(literal) ((char *)(size_t)(literal)) /* protobuf-c knows no const */
#define ANSWER_MS 30000u
#define MOVES_IN_JOB 500
#define DESCRIBED_MAX 2048

/* ---- what changed, for others ----------------------------------------------------------- */

/* Facts of one pseudonym become another's, in one job for many. */
struct moving {
	struct node *node;
	struct link_move moves[MOVES_IN_JOB];
	size_t count;
};

struct moved {
	Cairn__PatientFacts facts;
	char from[27], to[27];
	char *replaces[1];
	int32_t days[1];
};

static void
fill_moved(struct moved *moved, const struct link_move *move)
{
	cairn__patient_facts__init(&moved->facts);
	link_key_text(&move->from, moved->from);
	link_key_text(&move->to, moved->to);
	moved->replaces[0] = moved->from;
	moved->days[0] = move->days;
	moved->facts.patient = moved->to;
	moved->facts.replaces = moved->replaces;
	moved->facts.n_replaces = 1;
	moved->facts.replaces_days = moved->days;
	moved->facts.n_replaces_days = 1;
}

static void
told(void *arg, int code, const char *text)
{
	(void)arg;
	if (code != 0)
		log_error("links",
		    "facts are not moved to the pseudonym that patients have now: %s; it is tried "
		    "again when the node starts",
		    text);
}

static int
put_job(struct moving *moving, struct moved *moved, Cairn__PatientFacts **patients)
{
	Cairn__FactBatch batch = CAIRN__FACT_BATCH__INIT;
	struct jobs_put_entry job = {.queue = "facts"};
	struct cairn_error err = {0};
	char key[JOBS_KEY_MAX];
	uint8_t *body;

	for (size_t i = 0; i < moving->count; i++) {
		fill_moved(&moved[i], &moving->moves[i]);
		patients[i] = &moved[i].facts;
	}
	snprintf(key, sizeof key, "links-%s-%s-%llu-%zu", moved[0].from, moved[0].to,
	    (unsigned long long)moving->moves[0].time_ms, moving->count);
	batch.source = TEXT("cairn");
	batch.patients = patients;
	batch.n_patients = moving->count;
	job.key = key;
	job.length = cairn__fact_batch__get_packed_size(&batch);
	job.body = body = malloc(job.length);
	if (body == NULL)
		return CAIRN_ENOMEM;
	cairn__fact_batch__pack(&batch, body);
	if (jobs_put(moving->node->jobs, &job, 1, told, NULL, &err) != 0)
		told(NULL, err.code, err.text);
	free(body);
	return 0;
}

static void
put_moves(struct moving *moving)
{
	struct moved *moved = calloc(MOVES_IN_JOB, sizeof *moved);
	Cairn__PatientFacts **patients = calloc(MOVES_IN_JOB, sizeof *patients);

	if (moving->count > 0 &&
	    (moved == NULL || patients == NULL || put_job(moving, moved, patients) != 0))
		told(NULL, CAIRN_ENOMEM, "out of memory");
	free(moved);
	free(patients);
	moving->count = 0;
}

static void
add_move(void *arg, const struct link_move *move)
{
	struct moving *moving = arg;

	moving->moves[moving->count++] = *move;
	if (moving->count == MOVES_IN_JOB)
		put_moves(moving);
}

static void
record(struct node *node, const char *source, const char *subject, const char *verdict,
    const struct ledger_field *fields, size_t count)
{
	struct ledger_entry entry = {.kind = "link",
	    .subject = subject,
	    .principal = source,
	    .verdict = verdict,
	    .fields = fields,
	    .field_count = count};
	struct cairn_error err = {0};

	if (node->ledger != NULL && ledger_append(node->ledger, &entry, NULL, NULL, &err) != 0)
		log_error("links", "not recorded (%s %s): %s", subject, verdict, err.text);
}

static void
record_move(struct node *node, const struct link_change *change, const struct link_move *move)
{
	char from[27], to[27];
	const struct ledger_field fields[] = {{"into", to}};

	link_key_text(&move->from, from);
	link_key_text(&move->to, to);
	record(node, change->source, from, "merged", fields, 1);
}

/* Types and authorities of the identifiers that contradict, never the identifiers. */
static void
describe(const Cairn__LinkConflict *conflict, char ret[DESCRIBED_MAX])
{
	size_t length = 0;

	ret[0] = 0;
	for (size_t i = 0; i < conflict->n_identifiers && length < DESCRIBED_MAX - 1; i++) {
		const Cairn__ConflictingIdentifier *at = conflict->identifiers[i];
		char issuer[128];

		words_clean(issuer, sizeof issuer, at->issuer, false);
		snprintf(ret + length, DESCRIBED_MAX - length, "%s%s%s%s%s", i > 0 ? ", " : "",
		    at->identifier_type, issuer[0] != 0 ? " of " : "", issuer,
		    at->disputed ? " (disputed)" : "");
		length += strlen(ret + length);
	}
}

static void
record_conflict(struct node *node, const struct link_change *change)
{
	Cairn__LinkConflict *conflict = NULL;
	char number[24], identifiers[DESCRIBED_MAX];

	snprintf(number, sizeof number, "%llu", (unsigned long long)change->outcome.conflict);
	log_warning("links",
	    "plugin '%s' stated identifiers of different patients as one; nothing was linked "
	    "(cairn patient conflicts: %s)",
	    change->source, number);
	if (link_conflict(node->link, change->outcome.conflict, &conflict) != 0)
		return;
	describe(conflict, identifiers);
	record(node, change->source, number, "conflict",
	    (const struct ledger_field[]){
		{"a", conflict->a}, {"b", conflict->b}, {"identifiers", identifiers}},
	    3);
	cairn__link_conflict__free_unpacked(conflict, NULL);
}

void
pseudonyms_changed(struct node *node, const struct link_change *change)
{
	const struct link_outcome *out = &change->outcome;
	struct moving *moving = calloc(1, sizeof *moving);

	if (out->conflict_new)
		record_conflict(node, change);
	for (size_t i = 0; i < out->move_count; i++)
		record_move(node, change, &out->moves[i]);
	if (moving == NULL) {
		told(NULL, CAIRN_ENOMEM, "out of memory");
		return;
	}
	moving->node = node;
	for (size_t i = 0; i < out->move_count; i++)
		add_move(moving, &out->moves[i]);
	put_moves(moving);
	free(moving);
}

int
pseudonyms_open(struct node *node, struct cairn_error *err)
{
	struct moving *moving = calloc(1, sizeof *moving);
	char path[PATH_MAX];
	struct link_options options = {.dir = path,
	    .identity = node->identity,
	    .project = node->config->project,
	    .issuers = node->config->issuers};
	int code = moving == NULL ||
		file_join(path, sizeof path, node->config->home, "state/kernel/links") != 0
	    ? cairn_error_set(err, CAIRN_ENOMEM, "the links of patients' identifiers: no memory")
	    : link_open(&node->link, node->loop, &options, err);

	if (code == 0) {
		moving->node = node;
		link_moves(node->link, add_move, moving);
		put_moves(moving);
	}
	free(moving);
	return code;
}

/* ---- what is asked ---------------------------------------------------------------------- */

int
pseudonyms_add(struct node *node, struct link_change *change,
    Cairn__PatientIdentifier *const *identifiers, size_t count, uint32_t line,
    struct cairn_error *err)
{
	struct link_statement *last = &change->statements[change->statement_count];
	struct link_identifier *to = change->identifiers;
	int code = 0;

	if (count == 0 || count > LINK_IDENTIFIERS_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a patient is named by 1 to %d identifiers at once", LINK_IDENTIFIERS_MAX);
	if (change->statement_count > 0)
		to = (struct link_identifier *)(uintptr_t)last[-1].identifiers + last[-1].count;
	*last = (struct link_statement){.identifiers = to, .count = count, .line = line};
	for (size_t i = 0; i < count && code == 0; i++) {
		const char *const parts[] = {identifiers[i]->identifier_type,
		    identifiers[i]->issuer, identifiers[i]->identifier};

		code = link_identifier(node->link, parts, change->source, &to[i], err);
	}
	if (code == 0)
		change->statement_count++;
	return code;
}

static int
pack(const ProtobufCMessage *message, struct buf *reply, struct cairn_error *err)
{
	int code = buf_reserve(reply, protobuf_c_message_get_packed_size(message));

	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	reply->length = protobuf_c_message_pack(message, reply->data);
	return 0;
}

static int
pack_answer(const struct link_answer *answer, struct buf *reply, struct cairn_error *err)
{
	Cairn__PseudonymAnswer message = CAIRN__PSEUDONYM_ANSWER__INIT;

	message.pseudonym = TEXT(answer->pseudonym);
	message.date_shift_days = answer->date_shift_days;
	return pack(&message.base, reply, err);
}

/* One identifier, or several that are known to be one patient's: nothing is written. */
static int
answer_now(struct node *node, const Cairn__PseudonymRequest *request, struct buf *reply,
    struct cairn_error *err)
{
	const char *const parts[] = {
	    request->identifier_type, request->issuer, request->identifier};
	struct link_identifier identifier;
	struct link_answer answer;
	int code = link_identifier(node->link, parts, NULL, &identifier, err);

	if (code == 0)
		code = link_find(node->link, &identifier, &answer, err);
	return code == 0 ? pack_answer(&answer, reply, err) : code;
}

struct asking {
	struct node *node;
	uint64_t id;
};

/* Days to the pseudonym in use: what became one that became it moved twice. */
static int32_t
days_of(const struct link_outcome *out, size_t index)
{
	struct link_key to = out->moves[index].to;
	int32_t days = out->moves[index].days;

	for (size_t i = index + 1; i < out->move_count; i++) {
		if (link_key_same(&out->moves[i].from, &to)) {
			to = out->moves[i].to;
			days += out->moves[i].days;
		}
	}
	return days;
}

static int
pack_outcome(const struct link_outcome *out, struct buf *reply, struct cairn_error *err)
{
	Cairn__PseudonymAnswer message = CAIRN__PSEUDONYM_ANSWER__INIT;
	Cairn__ReplacedPseudonym items[LINK_IDENTIFIERS_MAX], *list[LINK_IDENTIFIERS_MAX];
	char patient[27], texts[LINK_IDENTIFIERS_MAX][27];

	link_key_text(&out->patient, patient);
	message.pseudonym = patient;
	message.date_shift_days = out->shift;
	message.conflict = out->conflict;
	message.replaced = list;
	for (size_t i = 0; i < out->move_count && i < LINK_IDENTIFIERS_MAX; i++) {
		cairn__replaced_pseudonym__init(&items[i]);
		link_key_text(&out->moves[i].from, texts[i]);
		items[i].pseudonym = texts[i];
		items[i].days = days_of(out, i);
		list[message.n_replaced++] = &items[i];
	}
	return pack(&message.base, reply, err);
}

static void
changed(void *arg, struct link_change *change)
{
	struct asking *asking = arg;
	BUF_AUTO reply = {.max = SERVICES_REPLY_MAX};

	if (change->code == 0) {
		pseudonyms_changed(asking->node, change);
		change->code = pack_outcome(&change->outcome, &reply, &change->err);
	}
	router_finish_body(asking->node->router, asking->id, change->code, change->err.text,
	    reply.data, reply.length);
	link_change_free(change);
	free(asking);
}

static int
put_change(struct node *node, const struct router_origin *origin, struct link_change *change,
    struct cairn_error *err)
{
	struct asking *asking = calloc(1, sizeof *asking);
	int code;

	if (asking != NULL)
		*asking = (struct asking){node, router_defer(node->router, origin, ANSWER_MS)};
	if (asking == NULL || asking->id == 0) {
		free(asking);
		return cairn_error_set(err, CAIRN_ELIMIT, "too many calls; try again shortly");
	}
	change->done = changed;
	change->arg = asking;
	code = link_change_put(node->link, change, err);
	if (code == 0)
		return SERVICES_LATER;
	router_finish_body(node->router, asking->id, code, err->text, NULL, 0);
	link_change_free(change);
	free(asking);
	return SERVICES_LATER;
}

static int
serve_several(struct node *node, const struct router_origin *origin,
    const Cairn__PseudonymRequest *request, struct buf *reply, struct cairn_error *err)
{
	struct link_change *change = link_change_new(1, LINK_IDENTIFIERS_MAX);
	Cairn__PatientIdentifier *identifiers[LINK_IDENTIFIERS_MAX];
	Cairn__PatientIdentifier first = CAIRN__PATIENT_IDENTIFIER__INIT;
	struct link_answer answer;
	size_t count = 1 + request->n_also;
	int code;

	if (change == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	first.identifier_type = request->identifier_type;
	first.issuer = request->issuer;
	first.identifier = request->identifier;
	identifiers[0] = &first;
	for (size_t i = 1; i < count && i < LINK_IDENTIFIERS_MAX; i++)
		identifiers[i] = request->also[i - 1];
	snprintf(
	    change->source, sizeof change->source, "%s", origin->plugin->config.manifest->name);
	code = pseudonyms_add(node, change, identifiers, count, 0, err);
	if (code == 0 && !link_agree(node->link, &change->statements[0], &answer))
		return put_change(node, origin, change, err);
	link_change_free(change);
	return code == 0 ? pack_answer(&answer, reply, err) : code;
}

static int
serve_patient(struct node *node, const struct router_origin *origin,
    const ProtobufCBinaryData *body, struct buf *reply, struct cairn_error *err)
{
	Cairn__PseudonymRequest *request = (Cairn__PseudonymRequest *)proto_unpack(
	    &cairn__pseudonym_request__descriptor, NULL, body->data, body->len);
	int code;

	if (request == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "the body is no cairn.PseudonymRequest");
	code = request->n_also == 0 ? answer_now(node, request, reply, err)
				    : serve_several(node, origin, request, reply, err);
	cairn__pseudonym_request__free_unpacked(request, NULL);
	return code;
}

static int
serve_merge(struct node *node, const struct router_origin *origin, const ProtobufCBinaryData *body,
    struct cairn_error *err)
{
	Cairn__PseudonymMerge *request = (Cairn__PseudonymMerge *)proto_unpack(
	    &cairn__pseudonym_merge__descriptor, NULL, body->data, body->len);
	struct link_change *change = link_change_new(2, 2 * (size_t)LINK_IDENTIFIERS_MAX);
	int code = request == NULL || change == NULL
	    ? cairn_error_set(err, request == NULL ? CAIRN_EINVAL : CAIRN_ENOMEM,
		  request == NULL ? "the body is no cairn.PseudonymMerge" : "out of memory")
	    : 0;

	if (code == 0) {
		change->kind = LINK_MERGE;
		snprintf(change->source, sizeof change->source, "%s",
		    origin->plugin->config.manifest->name);
		code = pseudonyms_add(node, change, request->from, request->n_from, 0, err);
	}
	if (code == 0)
		code = pseudonyms_add(node, change, request->to, request->n_to, 0, err);
	if (request != NULL)
		cairn__pseudonym_merge__free_unpacked(request, NULL);
	if (code == 0)
		return put_change(node, origin, change, err);
	link_change_free(change);
	return code;
}

int
pseudonyms_serve(struct node *node, const char *subject, const struct router_origin *origin,
    const ProtobufCBinaryData *body, struct buf *reply, struct cairn_error *err)
{
	return strcmp(subject, "pseudonym.merge") == 0
	    ? serve_merge(node, origin, body, err)
	    : serve_patient(node, origin, body, reply, err);
}
