/* SPDX-License-Identifier: Apache-2.0 */
/* Statements, withdrawals and merges. */
#include <stdlib.h>
#include <string.h>

#include "private.h"

struct statement {
	struct facts_step step;
	struct buf packed; /* framed */
	facts_done_fn *done;
	void *arg;
	char from[FACTS_PATIENT_MAX + 1], to[FACTS_PATIENT_MAX + 1];
};

static void
statement_after(struct facts *facts, struct facts_step *step)
{
	struct statement *statement = (struct statement *)step;

	facts->waiting_bytes -= statement->packed.length;
	buf_fini(&statement->packed);
	if (step->code == 0)
		sender_kick(facts);
	if (statement->done != NULL)
		statement->done(statement->arg, step->code, step->err.text);
	free(statement);
}

static int
statement_new(struct facts *facts, facts_done_fn *done, void *arg, struct statement **ret,
    struct cairn_error *err)
{
	struct statement *statement;

	if (facts->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the plugin is stopping");
	statement = calloc(1, sizeof *statement);
	if (statement == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	buf_init(&statement->packed, FACTS_WAITING_MAX);
	statement->step.after = statement_after;
	statement->done = done;
	statement->arg = arg;
	*ret = statement;
	return 0;
}

/* ---- facts_state ------------------------------------------------------------------------------
 */

static int
apply_packed(struct facts *facts, MDB_txn *txn, struct record_span packed, struct cairn_error *err)
{
	char patient[FACTS_PATIENT_MAX + 1];
	struct record record = {0};
	struct record_head head;
	struct facts_change change = {.patient = patient, .part = ""};
	bool changed;
	int code = record_add(&record, packed.at, packed.length, 0, &head);

	record_fini(&record);
	if (code != 0)
		return cairn_error_set(err, code,
		    "a statement has more than %u parts: state it in several", RECORD_ITEMS_MAX);
	memcpy(patient, head.patient.at, head.patient.length);
	patient[head.patient.length] = 0;
	change.whole = head.withdrawn;
	change.bytes = packed.at;
	change.length = packed.length;
	return apply_change(facts, txn, &change, &changed, err);
}

static int
state_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct statement *statement = (struct statement *)step;
	struct record_span packed;
	size_t at = 0;
	int code = 0;

	while (code == 0 && framed_next(&statement->packed, &at, &packed))
		code = apply_packed(facts, txn, packed, &step->err);
	return code;
}

static int
pack_one(const Cairn__PatientFacts *patient, struct buf *buf, struct cairn_error *err)
{
	static const uint8_t room[4];
	size_t begin = buf->length;
	uint32_t length;
	int code = buf_append(buf, room, sizeof room);

	if (code != 0)
		return cairn_error_set(err, code,
		    "more than %zu MiB in one statement: state it in several",
		    FACTS_WAITING_MAX >> 20);
	code = record_pack(patient, buf, err);
	if (code != 0) {
		buf->length = begin;
		return code;
	}
	length = (uint32_t)(buf->length - begin - sizeof room);
	memcpy(buf->data + begin, &length, sizeof length);
	return 0;
}

int
state_pack(struct facts *facts, Cairn__PatientFacts *const *patients, size_t count, struct buf *ret,
    struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < count; i++)
		code = pack_one(patients[i], ret, err);
	if (code == 0 && facts->waiting_bytes > 0 &&
	    facts->waiting_bytes + ret->length > FACTS_WAITING_MAX)
		code = cairn_error_set(err, CAIRN_ELIMIT, "more than %zu MiB wait for the disk",
		    FACTS_WAITING_MAX >> 20);
	return code;
}

int
facts_state(struct facts *facts, Cairn__PatientFacts *const *patients, size_t count,
    facts_done_fn *done, void *arg, struct cairn_error *err)
{
	struct statement *statement = NULL;
	int code = statement_new(facts, done, arg, &statement, err);

	if (code != 0)
		return code;
	code = state_pack(facts, patients, count, &statement->packed, err);
	if (code != 0) {
		buf_fini(&statement->packed);
		free(statement);
		return code;
	}
	facts->waiting_bytes += statement->packed.length;
	statement->step.run = state_run;
	work_add(facts, &statement->step);
	return 0;
}

/* ---- withdrawals and merges ---------------------------------------------------------------------
 */

static int
check_patient(const char *patient, struct cairn_error *err)
{
	if (patient == NULL || patient[0] == 0 || strlen(patient) > FACTS_PATIENT_MAX)
		return cairn_error_set(err, CAIRN_EINVAL, "a patient's pseudonym has 1 to %d bytes",
		    FACTS_PATIENT_MAX);
	return 0;
}

static int
withdraw_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct statement *statement = (struct statement *)step;

	return apply_withdraw(facts, txn, statement->from, &step->err);
}

int
facts_withdraw(struct facts *facts, const char *patient, facts_done_fn *done, void *arg,
    struct cairn_error *err)
{
	struct statement *statement = NULL;
	int code = check_patient(patient, err);

	if (code == 0)
		code = statement_new(facts, done, arg, &statement, err);
	if (code != 0)
		return code;
	memcpy(statement->from, patient, strlen(patient) + 1);
	statement->step.run = withdraw_run;
	work_add(facts, &statement->step);
	return 0;
}

static int
merge_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct statement *statement = (struct statement *)step;

	return apply_merge(facts, txn, statement->from, statement->to, &step->err);
}

int
facts_merge(struct facts *facts, const char *from, const char *to, facts_done_fn *done, void *arg,
    struct cairn_error *err)
{
	struct statement *statement = NULL;
	int code = check_patient(from, err);

	if (code == 0)
		code = check_patient(to, err);
	if (code == 0 && strcmp(from, to) == 0)
		code = cairn_error_set(err, CAIRN_EINVAL, "a patient cannot replace itself");
	if (code == 0)
		code = statement_new(facts, done, arg, &statement, err);
	if (code != 0)
		return code;
	memcpy(statement->from, from, strlen(from) + 1);
	memcpy(statement->to, to, strlen(to) + 1);
	statement->step.run = merge_run;
	work_add(facts, &statement->step);
	return 0;
}
