/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes ADT and ORU messages of HL7 v2 over MLLP, makes facts of them under the patient's
 * pseudonym, and says AA once they are on disk as a job.  The message itself never leaves memory:
 * received() -> read_message() -> ask() for the pseudonym -> put() -> finish().
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cairn/facts.pb-c.h>
#include <cairn/hl7.h>
#include <cairn/imaging.pb-c.h>

#define ASK_TIMEOUT_MS 10000
#define REPETITIONS_MAX 32
#define IDENTIFIERS_MAX 8                         /* of a patient */
#define OBSERVATIONS_MAX 4096                     /* in a message */
#define OLD_DAYS (90 * 36525 / 100)               /* who is older has no birth date here */
#define TEXT(literal) ((char *)(size_t)(literal)) /* protobuf-c knows no const */

/* Why a message is not taken: it is wrong; or not here, or not now. */
#define WRONG(...) ((struct hl7_problem){'E', __VA_ARGS__})
#define REFUSED(...) ((struct hl7_problem){'R', __VA_ARGS__})
#define NONE(name, field) WRONG(101, name, 1, field, "there is no identifier that this site takes")
#define FINE ((struct hl7_problem){0})

struct hl7v2 {
	struct cairn *cairn;
	struct mllp *mllp;
};

struct observation { /* with room for its value */
	Cairn__Observation it;
	Cairn__CodedValue coded;
	Cairn__Quantity quantity;
};

struct exchange {
	struct cairn *cairn;
	struct mllp_connection *connection;
	struct hl7 m;
	struct hl7_span msh;
	/* The patient's, and those of the one that becomes him; the site's own number first. */
	Cairn__PatientIdentifier ids[2][IDENTIFIERS_MAX], *lists[2][IDENTIFIERS_MAX];
	size_t counts[2];
	Cairn__PseudonymAnswer *answer;
	Cairn__PatientFacts patient;
	Cairn__Fact facts[2], *fact_list[2];
	Cairn__Observation *observations[OBSERVATIONS_MAX];
};

static bool
is_listed(struct cairn *cairn, const char *key, const char *word, size_t length)
{
	for (size_t i = 0; i < cairn_config_list_length(cairn, key); i++)
		if (hl7_is((struct hl7_span){word, length}, cairn_config_list_get(cairn, key, i)))
			return true;
	return false;
}

static void
finish(struct exchange *x, struct hl7_problem problem)
{
	if (problem.severity != 0)
		cairn_log(CAIRN_LOG_WARNING, "a message is refused (%s-%u): %s", problem.segment,
		    problem.field, problem.text);
	hl7_acknowledge(x->connection, &x->m, problem);
	for (size_t i = 0; i < x->patient.n_observations; i++)
		free(x->observations[i]); /* the first of struct observation */
	cairn__pseudonym_answer__free_unpacked(x->answer, NULL);
	hl7_fini(&x->m);
	free(x);
}

static void
not_now(struct exchange *x, const char *why)
{
	cairn_log(CAIRN_LOG_WARNING, "the node did not take a message: %s", why);
	finish(x, REFUSED(207, "MSH", 1, 0, "not now, send it again later"));
}

/* ---- the job, and before it the pseudonym ------------------------------------------------- */

static void
put_done(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)body, (void)length;
	code != 0 ? not_now(arg, text) : finish(arg, FINE);
}

static void
put(struct exchange *x)
{
	Cairn__FactBatch batch = CAIRN__FACT_BATCH__INIT;
	Cairn__PatientFacts *patient = &x->patient;
	char key[HL7_KEY_SIZE];
	struct cairn_job_put job = {.queue = "facts", .key = key};
	int code = CAIRN_ENOMEM;
	uint8_t *body;

	patient->patient = x->answer->pseudonym;
	batch.source = TEXT("hl7v2");
	batch.patients = &patient;
	batch.n_patients = 1;
	job.length = cairn__fact_batch__get_packed_size(&batch);
	job.body = body = malloc(job.length);
	if (body != NULL) {
		cairn__fact_batch__pack(&batch, body);
		hl7_job_key(&x->m, body, job.length, key);
		code = cairn_job_put(x->cairn, &job, 1, put_done, x);
	}
	free(body);
	if (code != 0)
		not_now(x, cairn_code_text(code));
}

/* All days of a patient move by the patient's own number of days. */
static void
shift(struct exchange *x, int32_t days)
{
	for (size_t i = 0; i < x->patient.n_facts; i++)
		if (x->facts[i].value_case == CAIRN__FACT__VALUE_DAY)
			x->facts[i].day += days;
	for (size_t i = 0; i < x->patient.n_observations; i++)
		if (x->observations[i]->day != 0)
			x->observations[i]->day += days;
}

static void
got_pseudonym(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct exchange *x = arg;

	x->answer = code == 0 ? cairn__pseudonym_answer__unpack(NULL, length, body) : NULL;
	if (code == CAIRN_EEXIST)
		finish(x, WRONG(204, "MRG", 1, 1, "it was the other way round in another message"));
	else if (x->answer == NULL || x->answer->pseudonym[0] == 0)
		not_now(x, code != 0 ? text : "the kernel gave no pseudonym");
	else
		shift(x, x->answer->date_shift_days), put(x);
}

/* Which of them lead where is the kernel's to say, and it has the facts of a merged patient moved.
 */
static void
ask(struct exchange *x)
{
	const Cairn__PatientIdentifier *first = &x->ids[0][0];
	Cairn__PseudonymRequest one = CAIRN__PSEUDONYM_REQUEST__INIT;
	Cairn__PseudonymMerge two = CAIRN__PSEUDONYM_MERGE__INIT;
	bool merge = x->counts[1] > 0;
	const ProtobufCMessage *request = merge ? &two.base : &one.base;
	uint8_t body[16384]; /* 16 identifiers */
	int code = CAIRN_ELIMIT;

	one.identifier_type = first->identifier_type;
	one.identifier = first->identifier, one.issuer = first->issuer;
	one.also = &x->lists[0][1], one.n_also = x->counts[0] - 1;
	two.to = x->lists[0], two.n_to = x->counts[0];
	two.from = x->lists[1], two.n_from = x->counts[1];
	if (protobuf_c_message_get_packed_size(request) <= sizeof body)
		code = cairn_call(x->cairn, merge ? "pseudonym.merge" : "pseudonym.patient", body,
		    protobuf_c_message_pack(request, body), ASK_TIMEOUT_MS, got_pseudonym, x);
	if (code != 0)
		not_now(x, cairn_code_text(code));
}

/* ---- what a message says ------------------------------------------------------------------ */

static struct hl7_span
value(const struct exchange *x, struct hl7_span segment, unsigned field, unsigned component)
{
	return hl7_component(&x->m, hl7_field(&x->m, segment, field), component);
}

/* The site's own number, and beside it those whose types (CX-5, table 0203) the site lists. */
static struct hl7_problem
read_identifiers(struct exchange *x, size_t who, struct hl7_span field, struct hl7_problem none)
{
	const char *authority = cairn_config_string(x->cairn, "authority");
	const char *issuer = cairn_config_string(x->cairn, "issuer");
	struct hl7_id ids[REPETITIONS_MAX], *id = ids;
	size_t count = hl7_identifiers(&x->m, field, authority, ids, REPETITIONS_MAX);

	for (; id < ids + count && x->counts[who] < IDENTIFIERS_MAX; id++) {
		Cairn__PatientIdentifier *to = &x->ids[who][x->counts[who]];
		bool own = id == ids, national = id->type.length > 0 && id->type.at[0] == 'N';

		if (!own && !is_listed(x->cairn, "link_types", id->type.at, id->type.length))
			continue;
		if (id->id.length + id->authority.length > 512)
			return WRONG(102, none.segment, 1, none.field, "an identifier is too long");
		cairn__patient_identifier__init(to);
		to->identifier_type = TEXT(!own && national ? "national-id" : "patient-id");
		to->identifier = hl7_text(&x->m, id->id);
		to->issuer =
		    own && authority[0] != 0 ? TEXT(issuer) : hl7_text(&x->m, id->authority);
		x->lists[who][x->counts[who]++] = to;
	}
	return count == 0 ? none : FINE;
}

static void
read_person(struct exchange *x, struct hl7_span pid)
{
	struct hl7_span sex = value(x, pid, 8, 1); /* table 0001 */
	Cairn__Fact fact = CAIRN__FACT__INIT;

	if (sex.length == 1 && strchr("FMOAN", sex.at[0]) != NULL) {
		fact.attribute = TEXT("sex");
		fact.value_case = CAIRN__FACT__VALUE_TEXT;
		fact.text = TEXT(hl7_is(sex, "F") ? "female" : hl7_is(sex, "M") ? "male" : "other");
		x->facts[x->patient.n_facts++] = fact;
	}
	if (hl7_day(value(x, pid, 7, 1), &fact.day) && time(NULL) / 86400 - fact.day < OLD_DAYS) {
		fact.attribute = TEXT("birth_date");
		fact.value_case = CAIRN__FACT__VALUE_DAY;
		x->facts[x->patient.n_facts++] = fact;
	}
}

/* One repetition of OBX-5; false when it is no number where OBX-2 says so.  Kept are numbers (of SN
 * those without range or ratio), codes whose coding system is said, codes of HL7's own tables, and
 * free text of listed observations only: anything else may be a name. */
static bool
read_value(struct exchange *x, struct observation *o, struct hl7_span one, struct hl7_span type)
{
	struct hl7_span first = hl7_component(&x->m, one, 1), third = hl7_component(&x->m, one, 3);
	bool table = hl7_is(type, "ID") || hl7_is(type, "IS"), number = hl7_is(type, "NM");
	bool coded = hl7_is(type, "CE") || hl7_is(type, "CWE") || hl7_is(type, "CNE");
	bool text = hl7_is(type, "ST") || hl7_is(type, "TX") || hl7_is(type, "FT");

	cairn__quantity__init(&o->quantity);
	cairn__coded_value__init(&o->coded);
	if (one.length == 0 || hl7_is(one, "\"\""))
		return true;
	if (number || (hl7_is(type, "SN") && third.length == 0)) {
		o->it.quantity = &o->quantity;
		o->it.value_case = CAIRN__OBSERVATION__VALUE_QUANTITY;
		if (number)
			return hl7_number(&x->m, one, &o->quantity.value);
		o->quantity.comparator = hl7_text(&x->m, first);
		return hl7_number(&x->m, hl7_component(&x->m, one, 2), &o->quantity.value) &&
		    strspn(o->quantity.comparator, "<>=") == strlen(o->quantity.comparator);
	}
	if (table || (coded && third.length > 0)) {
		o->coded.code = hl7_text(&x->m, first);
		o->coded.system = hl7_text(&x->m, third);
		o->it.coded = &o->coded;
		o->it.value_case = CAIRN__OBSERVATION__VALUE_CODED;
	} else if (text && is_listed(x->cairn, "text_codes", o->it.code, strlen(o->it.code))) {
		o->it.text = hl7_text(&x->m, one);
		o->it.value_case = CAIRN__OBSERVATION__VALUE_TEXT;
	}
	return true;
}

static struct hl7_problem
read_observation(struct exchange *x, struct hl7_span obx, struct hl7_span obr, unsigned sequence)
{
	struct hl7_span values = hl7_field(&x->m, obx, 5);
	struct hl7_span one = hl7_part(values, x->m.repetition, 0);
	char *unit = hl7_text(&x->m, value(x, obx, 6, 1));
	Cairn__Observation it = CAIRN__OBSERVATION__INIT;

	it.code = hl7_text(&x->m, value(x, obx, 3, 1));
	it.system = hl7_text(&x->m, value(x, obx, 3, 3));
	it.status = hl7_text(&x->m, value(x, obx, 11, 1));
	if (it.code[0] == 0)
		return WRONG(101, "OBX", sequence, 3, "the observation has no code");
	if (!hl7_day(value(x, obx, 14, 1), &it.day))
		(void)hl7_day(value(x, obr, 7, 1), &it.day);
	for (unsigned i = 0; i == 0 || (one.at != NULL && i < REPETITIONS_MAX); i++) {
		struct observation *o = calloc(1, sizeof *o);

		if (o == NULL || x->patient.n_observations == OBSERVATIONS_MAX) {
			free(o);
			return WRONG(207, "OBX", sequence, 0, "there are too many observations");
		}
		o->it = it;
		x->observations[x->patient.n_observations++] = &o->it;
		if (!read_value(x, o, one, value(x, obx, 2, 1)))
			return WRONG(102, "OBX", sequence, 5, "by OBX-2 a number, it is none");
		o->quantity.unit = unit;
		one = hl7_part(values, x->m.repetition, i + 1);
	}
	return FINE;
}

static struct hl7_problem
read_results(struct exchange *x)
{
	struct hl7_span segment = {0}, obr = {0};
	struct hl7_problem problem = FINE;
	unsigned sequence = 0;

	x->patient.observations = x->observations;
	while (problem.severity == 0 && (segment = hl7_segment(&x->m, segment, NULL)).length > 0) {
		if (memcmp(segment.at, "OBR", 3) == 0)
			obr = segment;
		else if (memcmp(segment.at, "OBX", 3) == 0)
			problem = read_observation(x, segment, obr, ++sequence);
	}
	return problem;
}

static struct hl7_problem
read_message(struct exchange *x)
{
	struct hl7_span event = value(x, x->msh, 9, 2), mode = value(x, x->msh, 11, 1);
	struct hl7_span pid = hl7_segment(&x->m, (struct hl7_span){0}, "PID");
	bool result = hl7_is(value(x, x->msh, 9, 1), "ORU") && hl7_is(event, "R01");
	struct hl7_problem problem;

	if (!result &&
	    !(hl7_is(value(x, x->msh, 9, 1), "ADT") && event.length == 3 &&
		memmem("A01 A04 A08 A18 A31 A40", 23, event.at, 3) != NULL))
		return REFUSED(201, "MSH", 1, 9, "only ADT A01 A04 A08 A18 A31 A40, ORU R01");
	if (!is_listed(x->cairn, "processing", mode.at, mode.length))
		return REFUSED(202, "MSH", 1, 11, "messages of this processing id are not taken");
	if (value(x, x->msh, 12, 1).length < 3 || value(x, x->msh, 12, 1).at[0] != '2')
		return REFUSED(203, "MSH", 1, 12, "only versions 2.x are taken");
	if (value(x, x->msh, 10, 1).length == 0)
		return REFUSED(101, "MSH", 1, 10, "the message has no control id");
	/* With two patients, what is the second's must not become the first's. */
	if (pid.length == 0 || hl7_segment(&x->m, pid, "PID").length > 0)
		return WRONG(100, "PID", 1, 0, "a message is about one patient, with one PID");
	problem = read_identifiers(x, 0, hl7_field(&x->m, pid, 3), NONE("PID", 3));
	if (problem.severity == 0 && (hl7_is(event, "A40") || hl7_is(event, "A18")))
		problem = read_identifiers(
		    x, 1, hl7_field(&x->m, hl7_segment(&x->m, pid, "MRG"), 1), NONE("MRG", 1));
	read_person(x, pid);
	return problem.severity == 0 && result ? read_results(x) : problem;
}

static void
received(void *arg, struct mllp_connection *connection, const char *text, size_t length)
{
	struct exchange *x = calloc(1, sizeof *x);
	struct hl7_problem problem;

	if (x == NULL) {
		mllp_answer(connection, NULL, 0); /* and the sender sends it again */
		return;
	}
	x->cairn = ((struct hl7v2 *)arg)->cairn;
	x->connection = connection;
	cairn__patient_facts__init(&x->patient);
	x->patient.facts = x->fact_list;
	x->fact_list[0] = &x->facts[0], x->fact_list[1] = &x->facts[1];
	problem = hl7_open(&x->m, text, length, cairn_config_string(x->cairn, "charset"));
	if (problem.severity == 0) {
		x->msh = hl7_segment(&x->m, (struct hl7_span){0}, "MSH");
		problem = read_message(x);
	}
	if (problem.severity != 0)
		finish(x, problem);
	else
		ask(x);
}

static void
closed(void *arg)
{
	struct cairn *cairn = ((struct hl7v2 *)arg)->cairn;

	free(arg);
	cairn_stopped(cairn);
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct hl7v2 *plugin = calloc(1, sizeof *plugin);
	struct mllp_handler handler = {received, closed, plugin};

	*ret_self = plugin;
	if (plugin == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	plugin->cairn = cairn;
	return mllp_open(&plugin->mllp, cairn, &handler, err);
}

static void
stop(void *self)
{
	mllp_close(((struct hl7v2 *)self)->mllp);
}

CAIRN_PLUGIN("hl7v2", "0.1.0",
    "kind: connector\n"
    "summary: Receives HL7 v2 messages (ADT, ORU) over MLLP and makes facts of them\n"
    "capabilities: [listen:tcp, call:pseudonym.patient, call:pseudonym.merge, put:facts]\n"
    "config:\n" MLLP_CONFIG HL7_CONFIG
    "  processing: {type: list, default: [P], choices: [P, T, D], max: 3,\n"
    "    help: 'Processing ids (MSH-11) to take: production, training, debugging'}\n"
    "  text_codes: {type: list, default: [], max: 1000,\n"
    "    help: Codes (OBX-3.1) of observations whose free text names nobody and is kept}\n",
    .start = start, .stop = stop)
