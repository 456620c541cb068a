/* SPDX-License-Identifier: Apache-2.0 */
#include "node/patients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/link.pb-c.h"
#include "depth.h"
#include "node/node.h"
#include "node/pseudonyms.h"
#include "registry.h"

#define TEXT(literal) ((char *)(size_t)(literal)) /* protobuf-c knows no const */
#define CONFLICTS_SHOWN_MAX 1000

static int show(struct node *node, struct call *call, const ProtobufCMessage *message);
static int find(struct node *node, struct call *call, const ProtobufCMessage *message);
static int conflicts(struct node *node, struct call *call, const ProtobufCMessage *message);
static int resolve(struct node *node, struct call *call, const ProtobufCMessage *message);
static int merge(struct node *node, struct call *call, const ProtobufCMessage *message);
static int split(struct node *node, struct call *call, const ProtobufCMessage *message);
static int link_rows(struct node *node, struct call *call, const ProtobufCMessage *message);

/* In the order of `serves`. */
static int (*const handlers[])(struct node *, struct call *, const ProtobufCMessage *) = {
    show, find, conflicts, resolve, merge, split, link_rows};

/* What of a question goes into the ledger: never an identifier. */
static char *const recorded[] = {TEXT("pseudonym"), TEXT("asked"), TEXT("conflict"), TEXT("keep"),
    TEXT("from"), TEXT("to"), TEXT("linked"), TEXT("moved"), NULL};

static const struct manifest_serve serves[] = {
#define SERVE(name, ask, reply)                                                        \
	{                                                                              \
		TEXT("patient." name), true, TEXT("cairn." ask), TEXT("cairn." reply), \
		    (char **)(uintptr_t)recorded, NULL                                 \
	}
    SERVE("show", "PatientShow", "PatientRecord"), SERVE("find", "PatientFind", "PatientRecord"),
    SERVE("conflicts", "PatientConflictsRequest", "PatientConflicts"),
    SERVE("resolve", "PatientResolve", "PatientChange"),
    SERVE("merge", "PatientMerge", "PatientChange"),
    SERVE("split", "PatientMerge", "PatientChange"), SERVE("link", "PatientLink", "PatientChange")};
#define SERVES (sizeof serves / sizeof serves[0])

const struct manifest_serve *
patients_serve_at(size_t index)
{
	return index < SERVES ? &serves[index] : NULL;
}

const struct manifest_serve *
patients_serve_find(const char *subject)
{
	for (size_t i = 0; i < SERVES; i++) {
		if (strcmp(serves[i].subject, subject) == 0)
			return &serves[i];
	}
	return NULL;
}

/* ---- answers ---------------------------------------------------------------------------- */

static int
reply(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	Cairn__Envelope answer = CAIRN__ENVELOPE__INIT;
	uint8_t *body = malloc(protobuf_c_message_get_packed_size(message) + 1);

	if (body == NULL) {
		call_fail(node->router, call, CAIRN_ENOMEM, "out of memory", false);
		return 0;
	}
	answer.body.len = protobuf_c_message_pack(message, body);
	answer.body.data = body;
	call_answer(node->router, call, &answer);
	free(body);
	return 0;
}

static int
refuse(struct node *node, struct call *call, const struct cairn_error *err)
{
	call_fail(node->router, call, err->code, err->text, false);
	return 0;
}

/* ---- seeing ----------------------------------------------------------------------------- */

struct page {
	struct link_known known[LINK_SHOWN_MAX];
	Cairn__KnownIdentifier items[LINK_SHOWN_MAX], *list[LINK_SHOWN_MAX];
	char pseudonyms[LINK_SHOWN_MAX][27];
	Cairn__LinkConflict *conflicts[CONFLICTS_SHOWN_MAX];
	uint64_t numbers[CONFLICTS_SHOWN_MAX];
};

static void
fill_known(struct page *page, size_t count, Cairn__PatientRecord *record)
{
	record->identifiers = page->list;
	for (size_t i = 0; i < count; i++) {
		Cairn__KnownIdentifier *item = &page->items[i];
		const struct link_known *known = &page->known[i];

		cairn__known_identifier__init(item);
		link_key_text(&known->pseudonym, page->pseudonyms[i]);
		item->identifier_type = TEXT(known->type);
		item->issuer = TEXT(known->issuer);
		item->source = TEXT(known->source);
		item->since_ms = known->since_ms;
		item->pseudonym = page->pseudonyms[i];
		item->own = known->own;
		item->merged = known->merged;
		page->list[record->n_identifiers++] = item;
	}
	record->truncated = count == LINK_SHOWN_MAX;
}

static bool
is_of(const struct page *page, size_t count, const char *pseudonym)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(page->pseudonyms[i], pseudonym) == 0)
			return true;
	}
	return false;
}

static void
fill_conflicts(struct node *node, struct page *page, size_t count, Cairn__PatientRecord *record)
{
	size_t found = link_conflicts(node->link, false, page->conflicts, CONFLICTS_SHOWN_MAX);

	record->conflicts = page->numbers;
	for (size_t i = 0; i < found; i++) {
		Cairn__LinkConflict *conflict = page->conflicts[i];

		if (is_of(page, count, conflict->a) || is_of(page, count, conflict->b))
			page->numbers[record->n_conflicts++] = conflict->id;
		cairn__link_conflict__free_unpacked(conflict, NULL);
	}
}

static int
answer_record(struct node *node, struct call *call, const struct link_key *asked)
{
	Cairn__PatientRecord record = CAIRN__PATIENT_RECORD__INIT;
	struct page *page = calloc(1, sizeof *page);
	struct cairn_error err = {0};
	struct link_key patient;
	char pseudonym[27], other[27];
	size_t count = 0;
	int code = page == NULL ? cairn_error_set(&err, CAIRN_ENOMEM, "out of memory")
				: link_show(node->link, asked, &patient, page->known, &count, &err);

	if (code == 0) {
		link_key_text(&patient, pseudonym);
		link_key_text(asked, other);
		record.pseudonym = pseudonym;
		record.asked = strcmp(pseudonym, other) == 0 ? TEXT("") : other;
		fill_known(page, count, &record);
		fill_conflicts(node, page, count, &record);
		reply(node, call, &record.base);
	} else {
		refuse(node, call, &err);
	}
	free(page);
	return 0;
}

static int
show(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	const Cairn__PatientShow *request = (const Cairn__PatientShow *)message;
	struct link_key key;

	if (link_key_parse(request->pseudonym, &key))
		return answer_record(node, call, &key);
	call_fail(node->router, call, CAIRN_EINVAL,
	    "that is no pseudonym: 26 letters and digits, e.g. as cairn patient find prints",
	    false);
	return 0;
}

/* Who is known by this identifier alone has a pseudonym, and nothing more to show. */
static int
answer_alone(struct node *node, struct call *call, const struct link_answer *found)
{
	Cairn__PatientRecord record = CAIRN__PATIENT_RECORD__INIT;

	record.pseudonym = TEXT(found->pseudonym);
	return reply(node, call, &record.base);
}

static int
find(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	const Cairn__PatientIdentifier *asked = ((const Cairn__PatientFind *)message)->identifier;
	struct link_identifier identifier;
	struct link_answer found;
	struct cairn_error err = {0};
	struct link_key key, patient;
	struct link_known *known = calloc(LINK_SHOWN_MAX, sizeof *known);
	size_t count;
	int code = asked == NULL || known == NULL
	    ? cairn_error_set(&err, CAIRN_EINVAL, "name an identifier")
	    : link_identifier(node->link,
		  (const char *const[]){asked->identifier_type, asked->issuer, asked->identifier},
		  NULL, &identifier, &err);

	if (code == 0)
		code = link_find(node->link, &identifier, &found, &err);
	if (code != 0)
		refuse(node, call, &err);
	else if (!link_key_parse(found.pseudonym, &key) ||
	    link_show(node->link, &key, &patient, known, &count, &err) != 0)
		answer_alone(node, call, &found);
	else
		answer_record(node, call, &key);
	free(known);
	return 0;
}

static int
conflicts(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	const Cairn__PatientConflictsRequest *request =
	    (const Cairn__PatientConflictsRequest *)message;
	Cairn__PatientConflicts answer = CAIRN__PATIENT_CONFLICTS__INIT;

	answer.conflicts = calloc(CONFLICTS_SHOWN_MAX, sizeof(Cairn__LinkConflict *));
	if (answer.conflicts == NULL) {
		call_fail(node->router, call, CAIRN_ENOMEM, "out of memory", false);
		return 0;
	}
	answer.n_conflicts =
	    link_conflicts(node->link, request->resolved, answer.conflicts, CONFLICTS_SHOWN_MAX);
	for (size_t i = 0; i < answer.n_conflicts; i++) {
		for (size_t j = 0; j < answer.conflicts[i]->n_identifiers; j++)
			answer.conflicts[i]->identifiers[j]->key.len = 0; /* stays here */
	}
	reply(node, call, &answer.base);
	for (size_t i = 0; i < answer.n_conflicts; i++)
		cairn__link_conflict__free_unpacked(answer.conflicts[i], NULL);
	free(answer.conflicts);
	return 0;
}

/* ---- changing --------------------------------------------------------------------------- */

struct changing {
	struct node *node;
	uint64_t id; /* of the call, which may be gone */
};

static void
answer_change(struct node *node, struct call *call, const struct link_change *change)
{
	Cairn__PatientChange answer = CAIRN__PATIENT_CHANGE__INIT;
	Cairn__LinkRowError items[LINK_ROW_ERRORS_MAX], *list[LINK_ROW_ERRORS_MAX];
	char pseudonym[27];

	link_key_text(&change->outcome.patient, pseudonym);
	answer.pseudonym = change->kind == LINK_TABLE ? TEXT("") : pseudonym;
	answer.errors = list;
	for (size_t i = 0; i < change->row_error_count; i++) {
		cairn__link_row_error__init(&items[i]);
		items[i].line = change->row_errors[i].line;
		items[i].reason = TEXT(change->row_errors[i].text);
		list[answer.n_errors++] = &items[i];
	}
	if (change->code == 0) {
		answer.linked = change->outcome.linked;
		answer.moved = change->outcome.move_count;
	}
	reply(node, call, &answer.base);
}

static void
changed(void *arg, struct link_change *change)
{
	struct changing *changing = arg;
	struct node *node = changing->node;
	struct call *call = call_find(node->router, changing->id);

	if (change->code == 0)
		pseudonyms_changed(node, change);
	if (call != NULL && (change->code == 0 || change->row_error_count > 0))
		answer_change(node, call, change);
	else if (call != NULL)
		refuse(node, call, &change->err);
	link_change_free(change);
	free(changing);
}

static int
put(struct node *node, struct call *call, struct link_change *change)
{
	struct changing *changing = calloc(1, sizeof *changing);
	struct cairn_error err = {0};
	int code = CAIRN_ENOMEM;

	if (changing != NULL) {
		*changing = (struct changing){node, call_id(node->router, call)};
		change->done = changed;
		change->arg = changing;
		code = link_change_put(node->link, change, &err);
	}
	if (code != 0) {
		call_fail(
		    node->router, call, code, err.text[0] != 0 ? err.text : "out of memory", false);
		link_change_free(change);
		free(changing);
	}
	return 0;
}

static struct link_change *
new_change(struct node *node, struct call *call, enum link_change_kind kind, size_t rows,
    size_t identifiers)
{
	struct link_change *change = link_change_new(rows, identifiers);

	if (change == NULL) {
		call_fail(node->router, call, CAIRN_ENOMEM, "out of memory", false);
		return NULL;
	}
	change->kind = kind;
	snprintf(change->source, sizeof change->source, "%.63s", call->principal);
	return change;
}

static int
resolve(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	const Cairn__PatientResolve *request = (const Cairn__PatientResolve *)message;
	struct link_change *change = new_change(node, call, LINK_RESOLVE, 0, 0);

	if (change == NULL)
		return 0;
	change->conflict = request->conflict;
	snprintf(change->keep, sizeof change->keep, "%.7s", request->keep);
	return put(node, call, change);
}

static int
change_pseudonyms(struct node *node, struct call *call, const ProtobufCMessage *message,
    enum link_change_kind kind)
{
	const Cairn__PatientMerge *request = (const Cairn__PatientMerge *)message;
	struct link_change *change = new_change(node, call, kind, 0, 0);

	if (change == NULL)
		return 0;
	if (link_key_parse(request->from, &change->from) &&
	    (kind == LINK_SPLIT || link_key_parse(request->to, &change->to)))
		return put(node, call, change);
	link_change_free(change);
	call_fail(node->router, call, CAIRN_EINVAL,
	    "a pseudonym has 26 letters and digits, e.g. as cairn patient find prints it", false);
	return 0;
}

static int
merge(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	return change_pseudonyms(node, call, message, LINK_JOIN);
}

static int
split(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	return change_pseudonyms(node, call, message, LINK_SPLIT);
}

/* Rows whose identifiers are none at all are found before anything is tried. */
static void
add_rows(struct node *node, struct link_change *change, const Cairn__PatientLink *request)
{
	for (size_t i = 0; i < request->n_rows; i++) {
		const Cairn__PatientLinkRow *row = request->rows[i];
		struct cairn_error err = {0};
		struct link_row_error *wrong = &change->row_errors[change->row_error_count];

		if (pseudonyms_add(
			node, change, row->identifiers, row->n_identifiers, row->line, &err) == 0)
			continue;
		change->rows_wrong++;
		if (change->row_error_count == LINK_ROW_ERRORS_MAX)
			continue;
		change->row_error_count++;
		wrong->line = row->line;
		snprintf(wrong->text, sizeof wrong->text, "%.159s", err.text);
	}
}

static int
link_rows(struct node *node, struct call *call, const ProtobufCMessage *message)
{
	const Cairn__PatientLink *request = (const Cairn__PatientLink *)message;
	struct link_change *change;
	size_t identifiers = 0;

	for (size_t i = 0; i < request->n_rows; i++)
		identifiers += request->rows[i]->n_identifiers;
	if (request->n_rows == 0 || request->n_rows > LINK_ROWS_MAX) {
		call_fail(node->router, call, CAIRN_ELIMIT,
		    "a table has 1 to 50,000 rows; divide it", false);
		return 0;
	}
	change = new_change(node, call, LINK_TABLE, request->n_rows, identifiers);
	if (change == NULL)
		return 0;
	add_rows(node, change, request);
	if (change->rows_wrong == 0)
		return put(node, call, change);
	change->code = CAIRN_EINVAL;
	answer_change(node, call, change);
	link_change_free(change);
	return 0;
}

/* ---- the way in ------------------------------------------------------------------------- */

void
patients_call(struct router *router, struct call *call)
{
	const struct manifest_serve *serve = patients_serve_find(call->subject);
	size_t index = (size_t)(serve - serves);
	const ProtobufCMessageDescriptor *type =
	    serve == NULL ? NULL : proto_registry_find(serve->request);
	ProtobufCMessage *message =
	    type == NULL ? NULL : proto_unpack(type, NULL, call->body, call->length);

	if (message == NULL) {
		call_fail(router, call, CAIRN_EINVAL, "the request's body is not what it should be",
		    false);
		return;
	}
	call_drop_body(router, call);
	handlers[index](router->node, call, message);
	protobuf_c_message_free_unpacked(message, NULL);
}
