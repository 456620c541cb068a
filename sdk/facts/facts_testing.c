/* SPDX-License-Identifier: Apache-2.0 */
#include "facts_testing.h"

#include "base/file.h"
#include "cairn/cohort.pb-c.h"
#include "private.h"

/* ---- the engine
 * ---------------------------------------------------------------------------------- */

static struct engine_patient *
patient_of(struct engine *engine, const char *name)
{
	struct engine_patient *patient;

	for (size_t i = 0; i < engine->count; i++) {
		if (strcmp(engine->patients[i].name, name) == 0)
			return &engine->patients[i];
	}
	assert_true(engine->count < ENGINE_PATIENTS);
	patient = &engine->patients[engine->count++];
	snprintf(patient->name, sizeof patient->name, "%s", name);
	buf_init(&patient->bytes, 1 << 20);
	return patient;
}

/* `low` counts where `high` says nothing. */
static void
join(struct buf *low, const void *high, size_t length)
{
	struct record record = {0};
	struct buf joined;

	buf_init(&joined, 1 << 20);
	if (low->length > 0)
		assert_int_equal(record_add(&record, low->data, low->length, 0, NULL), 0);
	assert_int_equal(record_add(&record, high, length, 1, NULL), 0);
	record_settle(&record);
	assert_int_equal(record_write(&record, &joined), 0);
	record_fini(&record);
	buf_fini(low);
	*low = joined;
}

static void
engine_hear(struct engine *engine, const Cairn__PatientFacts *message)
{
	struct engine_patient *patient = patient_of(engine, message->patient);
	BUF_AUTO packed = {.max = 1 << 20};

	if (message->withdrawn)
		buf_clear(&patient->bytes);
	for (size_t i = 0; i < message->n_replaces; i++) {
		struct engine_patient *from = patient_of(engine, message->replaces[i]);
		struct buf own = patient->bytes;

		patient->bytes = from->bytes;
		buf_init(&from->bytes, 1 << 20);
		if (own.length > 0)
			join(&patient->bytes, own.data, own.length);
		buf_fini(&own);
	}
	assert_int_equal(buf_reserve(&packed, cairn__patient_facts__get_packed_size(message)), 0);
	packed.length = cairn__patient_facts__pack(message, packed.data);
	join(&patient->bytes, packed.data, packed.length);
}

static void
engine_take(struct engine *engine, const void *body, size_t length)
{
	Cairn__FactBatch *batch = cairn__fact_batch__unpack(NULL, length, body);

	assert_non_null(batch);
	assert_string_equal(batch->source, "test");
	for (size_t i = 0; i < batch->n_patients; i++)
		engine_hear(engine, batch->patients[i]);
	engine->jobs++;
	engine->complete = engine->complete || batch->complete;
	cairn__fact_batch__free_unpacked(batch, NULL);
}

void
engine_clear(struct engine *engine)
{
	for (size_t i = 0; i < engine->count; i++)
		buf_fini(&engine->patients[i].bytes);
	engine->count = 0;
	engine->complete = false;
}

void
engine_copy(struct engine *to, const struct engine *from)
{
	engine_clear(to);
	to->jobs = from->jobs;
	for (size_t i = 0; i < from->count; i++) {
		struct engine_patient *patient = patient_of(to, from->patients[i].name);

		if (from->patients[i].bytes.length > 0)
			join(&patient->bytes, from->patients[i].bytes.data,
			    from->patients[i].bytes.length);
	}
}

static int
compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct engine_patient *)a)->name, ((const struct engine_patient *)b)->name);
}

static void
print_facts(struct buf *text, Cairn__Fact *const *facts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
		    buf_append_format(text, " %s=%s", facts[i]->attribute, facts[i]->text), 0);
}

static void
print_patient(struct buf *text, const struct engine_patient *patient)
{
	Cairn__PatientFacts *message =
	    cairn__patient_facts__unpack(NULL, patient->bytes.length, patient->bytes.data);

	assert_non_null(message);
	assert_int_equal(buf_append_format(text, "%s:", patient->name), 0);
	print_facts(text, message->facts, message->n_facts);
	for (size_t i = 0; i < message->n_entries; i++) {
		assert_int_equal(buf_append_format(text, " %s/%s", message->entries[i]->kind,
				     message->entries[i]->id),
		    0);
		print_facts(text, message->entries[i]->facts, message->entries[i]->n_facts);
	}
	for (size_t i = 0; i < message->n_replaces; i++)
		assert_int_equal(buf_append_format(text, " replaces=%s", message->replaces[i]), 0);
	assert_int_equal(buf_append_text(text, "\n"), 0);
	cairn__patient_facts__free_unpacked(message, NULL);
}

const char *
engine_text(struct world *world)
{
	struct engine *engine = &world->engine;
	BUF_AUTO text = {.max = sizeof world->text - 1};

	qsort(engine->patients, engine->count, sizeof engine->patients[0], compare);
	for (size_t i = 0; i < engine->count; i++) {
		if (engine->patients[i].bytes.length > 0)
			print_patient(&text, &engine->patients[i]);
	}
	if (text.length > 0)
		memcpy(world->text, text.data, text.length);
	world->text[text.length] = 0;
	return world->text;
}

/* ---- the connector
 * -------------------------------------------------------------------------------- */

static void
take_snapshot(void *arg)
{
	struct world *world = arg;
	struct snapshot *snapshot = &world->snapshots[world->snapshot_count];
	char from[256], to[256];
	BUF_AUTO bytes = {.max = 64 << 20};

	if (world->snapshot_count == SNAPSHOTS_MAX)
		fail_msg("more than %d turns", SNAPSHOTS_MAX);
	snprintf(from, sizeof from, "%s/db/data.mdb", world->dir.path);
	snprintf(to, sizeof to, "%s/%u", world->dir.path, world->snapshot_count);
	assert_int_equal(file_mkdirs(to, 0700, NULL), 0);
	snprintf(to, sizeof to, "%s/%u/data.mdb", world->dir.path, world->snapshot_count);
	assert_int_equal(file_read(from, &bytes, NULL), 0);
	assert_int_equal(file_write(to, bytes.data, bytes.length, 0600, NULL), 0);
	engine_copy(&snapshot->engine, &world->engine);
	snapshot->done = world->done;
	world->snapshot_count++;
}

static void
between(void *arg)
{
	struct world *world = arg;

	if (world->snapshots != NULL)
		take_snapshot(arg);
}

void
world_begin(struct world *world, const char *from)
{
	struct facts_options options = {.source = "test", .disk_max = 256 << 20};
	struct cairn_error err = {0};
	char dir[256];

	memset(world, 0, sizeof *world);
	test_dir_make(&world->dir);
	snprintf(dir, sizeof dir, "%s/db", world->dir.path);
	options.dir = from != NULL ? from : dir;
	world->kernel = cairn_testing_new(NULL);
	assert_ok(
	    facts_open(&world->facts, cairn_testing_cairn(world->kernel), &options, &err), &err);
	world->facts->between = between;
	world->facts->between_arg = world;
}

static void
closed(void *arg)
{
	struct world *world = arg;

	world->awaited = world->facts->calls;
	world->waiting = false;
}

static void
wait_for(struct world *world)
{
	for (unsigned i = 0; world->waiting && i < 1000; i++)
		cairn_testing_settle(world->kernel);
	assert_false(world->waiting);
}

void
world_end(struct world *world)
{
	world->waiting = true;
	facts_close(world->facts, closed, world);
	wait_for(world);
	/* What it asked is answered, or it would wait in vain. */
	for (unsigned i = 0; i < world->awaited; i++) {
		cairn_testing_answer(world->kernel, "cohort.index", CAIRN_ECANCELLED, NULL, 0);
		cairn_testing_answer(world->kernel, "facts", CAIRN_ECANCELLED, NULL, 0);
	}
	cairn_testing_settle(world->kernel);
	cairn_testing_stop(world->kernel);
	engine_clear(&world->engine);
	test_dir_remove(&world->dir);
}

static void
durable(void *arg, int code, const char *why)
{
	struct world *world = arg;

	if (code != 0)
		fail_msg("not durable: %s", why);
	world->done++;
	world->waiting = false;
}

void
world_state(struct world *world, const char *patient, const char *attribute, const char *text,
    const char *kind, const char *id, const char *entry_attribute, const char *entry_text)
{
	Cairn__Fact fact = CAIRN__FACT__INIT, inner = CAIRN__FACT__INIT;
	Cairn__EntryFacts entry = CAIRN__ENTRY_FACTS__INIT;
	Cairn__PatientFacts message = CAIRN__PATIENT_FACTS__INIT, *one = &message;
	Cairn__Fact *facts[] = {&fact}, *inners[] = {&inner};
	Cairn__EntryFacts *entries[] = {&entry};
	struct cairn_error err = {0};

	fact.attribute = (char *)(uintptr_t)attribute;
	inner.attribute = (char *)(uintptr_t)entry_attribute;
	fact.value_case = inner.value_case = CAIRN__FACT__VALUE_TEXT;
	fact.text = (char *)(uintptr_t)text;
	inner.text = (char *)(uintptr_t)entry_text;
	entry.kind = (char *)(uintptr_t)kind;
	entry.id = (char *)(uintptr_t)id;
	entry.facts = inners;
	entry.n_facts = entry_attribute != NULL;
	entry.withdrawn = entry_attribute == NULL;
	message.patient = (char *)(uintptr_t)patient;
	message.facts = facts;
	message.n_facts = attribute != NULL;
	message.entries = entries;
	message.n_entries = kind != NULL;
	world->waiting = true;
	assert_ok(facts_state(world->facts, &one, 1, durable, world, &err), &err);
	wait_for(world);
}

void
world_withdraw(struct world *world, const char *patient)
{
	world->waiting = true;
	assert_int_equal(facts_withdraw(world->facts, patient, durable, world, NULL), 0);
	wait_for(world);
}

void
world_merge(struct world *world, const char *from, const char *to)
{
	world->waiting = true;
	assert_int_equal(facts_merge(world->facts, from, to, durable, world, NULL), 0);
	wait_for(world);
}

static void
added(void *arg, int code, const char *why)
{
	(void)arg;
	if (code != 0)
		fail_msg("not staged: %s", why);
}

static void
committed(void *arg, int code, const char *why)
{
	struct world *world = arg;

	if (code != 0)
		fail_msg("not committed: %s", why);
	world->done++;
}

static void
placed(void *arg, int code, const char *why, const struct facts_set_counts *counts)
{
	struct world *world = arg;

	if (code != 0)
		fail_msg("not in place: %s", why);
	world->counts = *counts;
	world->waiting = false;
}

void
world_set(struct world *world, const char *name, const char *const *patients, const char *psa)
{
	Cairn__Fact fact = CAIRN__FACT__INIT;
	Cairn__Fact *facts[] = {&fact};
	Cairn__EntryFacts entry = CAIRN__ENTRY_FACTS__INIT;
	Cairn__EntryFacts *entries[] = {&entry};
	struct facts_set *set = NULL;
	struct cairn_error err = {0};

	fact.attribute = (char *)(uintptr_t) "psa";
	fact.value_case = CAIRN__FACT__VALUE_TEXT;
	fact.text = (char *)(uintptr_t)psa;
	entry.kind = (char *)(uintptr_t) "observation";
	entry.id = (char *)(uintptr_t)name;
	entry.facts = facts;
	entry.n_facts = 1;
	/* Another one may still be on its way into place, also of a run before. */
	for (int i = 0; facts_set_begin(&set, world->facts, name, &err) == CAIRN_EAGAIN; i++) {
		assert_true(i < 100);
		cairn_testing_settle(world->kernel);
	}
	assert_non_null(set);
	for (size_t i = 0; patients[i] != NULL; i++) {
		Cairn__PatientFacts message = CAIRN__PATIENT_FACTS__INIT, *one = &message;

		message.patient = (char *)(uintptr_t)patients[i];
		message.entries = entries;
		message.n_entries = 1;
		assert_ok(facts_set_add(set, &one, 1, added, world, &err), &err);
	}
	if (world->drop) {
		facts_set_drop(set);
		cairn_testing_settle(world->kernel);
		return;
	}
	world->waiting = true;
	assert_ok(facts_set_commit(set, committed, placed, world, &err), &err);
	wait_for(world);
}

void
world_index(struct world *world, const char *identity)
{
	Cairn__IndexAnswer answer = CAIRN__INDEX_ANSWER__INIT;
	uint8_t body[64];

	answer.identity = (char *)(uintptr_t)identity;
	cairn_testing_answer(
	    world->kernel, "cohort.index", 0, body, cairn__index_answer__pack(&answer, body));
	cairn_testing_advance(world->kernel, 2000);
}

void
world_deliver(struct world *world)
{
	const struct cairn_testing_sent *sent;
	struct facts_status status = {.queued = 1};

	for (unsigned i = 0; i < 200; i++) {
		cairn_testing_advance(world->kernel, 100);
		while ((sent = cairn_testing_take(world->kernel, "facts")) != NULL) {
			engine_take(&world->engine, sent->body, sent->length);
			if (world->snapshots != NULL)
				take_snapshot(world);
		}
		facts_status_get(world->facts, &status);
		if (status.queued == 0 && !status.again && !status.placing)
			return;
		cairn_testing_answer(world->kernel, "facts", 0, NULL, 0);
	}
	fail_msg("the changes did not arrive");
}
