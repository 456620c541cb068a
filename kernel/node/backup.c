/* SPDX-License-Identifier: Apache-2.0 */
#include "node/backup.h"

#include <string.h>

#include "base/log.h"
#include "node/words.h"

#define PATH_SHOWN_MAX 1024

static bool
is_step(const char *step)
{
	return strcmp(step, "begun") == 0 || strcmp(step, "made") == 0 ||
	    strcmp(step, "failed") == 0;
}

int
backup_serve(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	const char *step = json_string_value(json_object_get(request, "step"));
	const char *to = json_string_value(json_object_get(request, "to"));
	bool keys = json_is_true(json_object_get(request, "keys"));
	char clean[PATH_SHOWN_MAX];
	const struct ledger_field fields[] = {{"to", clean}, {"keys", keys ? "yes" : "no"}};
	struct ledger_entry entry = {.kind = "node",
	    .subject = "backup",
	    .principal = node->asker,
	    .verdict = step,
	    .fields = fields,
	    .field_count = 2};

	if (step == NULL || !is_step(step) || to == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "kernel.backup takes {\"step\": \"begun\", \"made\" or \"failed\", \"to\": "
		    "PATH, \"keys\": true or false}");
	words_clean(clean, sizeof clean, to, false);
	log_info("node", "backup %s by %s: %s%s", step, node->asker, clean,
	    keys ? ", WITH THE KEYS" : "");
	json_object_set_new(reply, "step", json_string(step));
	return ledger_append(node->ledger, &entry, NULL, NULL, err);
}
