/* SPDX-License-Identifier: Apache-2.0 */
/* A node that starts counts again what the ledger says was permitted under a budget today. */
#include <string.h>

#include "base/clock.h"
#include "cairn/ledger.pb-c.h"
#include "ledger/ledger.h"
#include "node/budget.h"
#include "node/node.h"

/* More than a day of questions, and a second's reading. */
#define RECALL_MAX 1000000u
/* Times may step back when the clock is set; so long a way behind midnight is looked at. */
#define BEFORE_MS ((uint64_t)3600 * 1000)

static bool
is_spent(const Cairn__Record *record)
{
	if (strcmp(record->kind, "decision") != 0 || strcmp(record->verdict, "permit") != 0)
		return false;
	for (size_t i = 0; i < record->n_fields; i++) {
		if (strcmp(record->fields[i]->name, BUDGET_OBLIGATION) == 0)
			return true;
	}
	return false;
}

static int
recall_from(
    struct budget *budget, struct ledger_reader *reader, uint64_t now_ms, struct cairn_error *err)
{
	uint64_t count = ledger_reader_count(reader);
	uint64_t last = count > RECALL_MAX ? count - RECALL_MAX : 0;
	uint64_t midnight = budget_day(now_ms) * BUDGET_DAY_MS;
	uint32_t used;
	bool more = true;

	for (uint64_t i = count; more && i > last; i--) {
		Cairn__Record *record;
		int code = ledger_reader_get(reader, i - 1, &record, err);

		if (code != 0)
			return code;
		more = record->time_ms + BEFORE_MS >= midnight;
		if (record->time_ms >= midnight && is_spent(record))
			(void)budget_take(budget, record->principal, now_ms, UINT32_MAX, &used);
		cairn__record__free_unpacked(record, NULL);
	}
	return 0;
}

int
budget_recall(struct node *node, struct cairn_error *err)
{
	struct ledger_reader *reader;
	int code = ledger_reader_attach(&reader, node->ledger, err);

	if (code != 0)
		return code;
	node->budget = budget_new();
	code = node->budget == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
				    : recall_from(node->budget, reader, clock_wall_ms(), err);
	ledger_reader_close(reader);
	return code;
}
