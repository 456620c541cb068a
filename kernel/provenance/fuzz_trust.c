/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as HOME/plugins/trust: every line that is taken is found again, is not added twice, and
 * is gone once it was removed.
 */
#include <stdint.h>
#include <string.h>

#include "provenance/trust.h"

static void
use(struct trust *trust, const struct trust_line *line)
{
	size_t count = trust->count;

	if (strlen(line->name) > TRUST_NAME_MAX || strlen(line->value) > TRUST_VALUE_MAX ||
	    !trust_has(trust, line->kind, line->name, line->value) ||
	    trust_count(trust, line->kind, line->name) == 0 ||
	    trust_first(trust, line->kind, line->name) == NULL)
		__builtin_trap();
	if (trust_add(trust, line->kind, line->name, line->value, NULL) == 0 &&
	    trust->count != count)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trust trust = {0};
	struct cairn_error err = {0};

	if (trust_parse((const char *)data, size, &trust, &err) != 0) {
		if (err.text[0] == 0 || trust.count != 0)
			__builtin_trap();
		return 0;
	}
	for (size_t i = 0; i < trust.count && i < 64; i++) {
		struct trust_line line = trust.lines[i];

		use(&trust, &line);
	}
	while (trust.count > 0) {
		struct trust_line line = trust.lines[0];

		trust_remove(&trust, line.kind, line.name, NULL);
		if (trust_count(&trust, line.kind, line.name) != 0)
			__builtin_trap();
	}
	trust_fini(&trust);
	return 0;
}
