/* SPDX-License-Identifier: Apache-2.0 */
/* How what is said of a patient now differs from what was said before, as messages. */
#include <string.h>

#include "facts.h"
#include "record.h"

#define FIELD_PATIENT 1
#define FIELD_ENTRY 5
#define FIELD_WITHDRAWN 6
#define ENTRY_WITHDRAWN 4

/* buf_append() of nothing may be given NULL. */
struct telling {
	const struct record_difference *to;
	struct cairn_error *err;
	struct buf message;
	size_t head; /* bytes of the message that name the patient */
	bool told;   /* at least one message */
	bool whole;  /* the next message begins anew */
	int code;
};

static void
send(struct telling *telling)
{
	if (telling->code == 0)
		telling->code =
		    telling->to->tell(telling->to->arg, &telling->message, telling->err);
	telling->message.length = telling->head;
	telling->told = true;
	telling->whole = false;
}

/* The field `withdrawn` stands behind the items of its message; order means nothing there. */
static void
end_message(struct telling *telling)
{
	if (telling->whole && telling->code == 0)
		telling->code = wire_put_number(&telling->message, FIELD_WITHDRAWN, 1);
	if (telling->whole || telling->message.length > telling->head)
		send(telling);
}

static void
add(struct telling *telling, const struct record_item *item)
{
	if (telling->message.length > telling->head &&
	    telling->message.length + item->whole.length > telling->to->chunk)
		end_message(telling);
	if (telling->code == 0)
		telling->code = buf_append(&telling->message, item->whole.at, item->whole.length);
}

/* An item's key is the entry's kind and id, as packed. */
static void
take_back(struct telling *telling, const struct record_item *item)
{
	BUF_AUTO entry = {.max = 4096};
	BUF_AUTO whole = {.max = 4096};
	struct record_item gone = {0};
	int code = buf_append(&entry, item->key.at, item->key.length);

	if (code == 0)
		code = wire_put_number(&entry, ENTRY_WITHDRAWN, 1);
	if (code == 0)
		code = wire_put_bytes(&whole, FIELD_ENTRY, entry.data, entry.length);
	if (code != 0) {
		telling->code = code;
		return;
	}
	gone.whole = (struct record_span){whole.data, whole.length};
	add(telling, &gone);
}

static int
compare(const struct record_item *a, const struct record_item *b)
{
	size_t shorter = a->key.length < b->key.length ? a->key.length : b->key.length;
	int order;

	if (a->field != b->field)
		return a->field < b->field ? -1 : 1;
	order = shorter == 0 ? 0 : memcmp(a->key.at, b->key.at, shorter);
	if (order != 0)
		return order;
	return a->key.length < b->key.length ? -1 : a->key.length > b->key.length;
}

static size_t
group(const struct record *record, size_t begin)
{
	size_t end = begin;

	while (end < record->count &&
	    (end == begin || compare(&record->items[begin], &record->items[end]) == 0))
		end++;
	return end;
}

static bool
same(const struct record *a, size_t a_begin, const struct record *b, size_t b_begin, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct record_span left = a->items[a_begin + i].whole;
		const struct record_span right = b->items[b_begin + i].whole;

		if (left.length != right.length || memcmp(left.at, right.at, left.length) != 0)
			return false;
	}
	return true;
}

/* It was told already. */
static bool
is_again(const struct record_item *again, const struct record_item *item)
{
	return again != NULL && compare(again, item) == 0;
}

/* One step of going through both: what is only in `before` (order < 0), only in `now`, in both. */
static void
step(struct telling *telling, const struct record *before, size_t *b, const struct record *now,
    size_t *n)
{
	size_t b_end = group(before, *b), n_end = group(now, *n);
	int order = *b == before->count ? 1
	    : *n == now->count          ? -1
					: compare(&before->items[*b], &now->items[*n]);
	bool changed = order > 0 ||
	    (order == 0 && (b_end - *b != n_end - *n || !same(before, *b, now, *n, n_end - *n)));

	if (order < 0 && before->items[*b].field == FIELD_ENTRY)
		take_back(telling, &before->items[*b]);
	for (size_t i = *n; changed && i < n_end; i++) {
		if (!is_again(telling->to->again, &now->items[i]))
			add(telling, &now->items[i]);
	}
	if (order <= 0)
		*b = b_end;
	if (order >= 0)
		*n = n_end;
}

/* Only entries can be taken back one by one; when anything else is gone, all is said anew. */
static bool
must_begin_anew(const struct record *before, const struct record *now)
{
	size_t n = 0;

	for (size_t b = 0; b < before->count; b++) {
		if (before->items[b].field == FIELD_ENTRY)
			continue;
		while (n < now->count && compare(&now->items[n], &before->items[b]) < 0)
			n++;
		if (n == now->count || compare(&now->items[n], &before->items[b]) != 0)
			return true;
	}
	return false;
}

int
record_differ(const struct record *before, const struct record *now,
    const struct record_difference *difference, struct cairn_error *err)
{
	static const struct record nothing = {0};
	struct telling telling = {.to = difference, .err = err};
	const struct record *from = before;
	size_t b = 0, n = 0;

	buf_init(&telling.message, difference->chunk + FACTS_STATEMENT_MAX + 4096);
	telling.code = wire_put_bytes(
	    &telling.message, FIELD_PATIENT, difference->patient, strlen(difference->patient));
	telling.head = telling.message.length;
	if (must_begin_anew(before, now)) {
		telling.whole = true;
		from = &nothing;
	}
	if (difference->again != NULL)
		add(&telling, difference->again);
	while (telling.code == 0 && (b < from->count || n < now->count))
		step(&telling, from, &b, now, &n);
	if (telling.code == 0)
		end_message(&telling);
	buf_fini(&telling.message);
	if (telling.code != 0 && (err == NULL || err->code == 0))
		return cairn_error_set(err, telling.code, "cannot note what has changed: %s",
		    cairn_code_text(telling.code));
	return telling.code;
}
