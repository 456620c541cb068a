/* SPDX-License-Identifier: Apache-2.0 */
#include "config/capability.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *start; /* of the capability; what follows it is the detail */
	const char *words;
} table[] = {
    {"listen:tcp", "accept connections from the network"},
    {"connect:tcp", "connect to other machines"},
    {"objects:read", "read the de-identified instances"},
    {"objects:write", "add de-identified instances"},
    {"intake:write", "keep identifiable data on disk while it is processed"},
    {"secret:uid", "derive UIDs with a key of this project"},
    {"secret:", "have a secret key of its own: "},
    {"job:", "take durable jobs from the queue "},
    {"put:", "put durable jobs on the queue "},
    {"call:pseudonym.patient", "ask the kernel for patients' pseudonyms"},
    {"call:pseudonym.merge", "say that two patients are one"},
    {"call:", "call "},
    {"publish:", "publish events: "},
    {"subscribe:", "hear events: "},
    {"record:", "write records to the ledger: "},
    {"exec:", "start the program "},
};

void
capability_words(const char *capability, char ret[CAPABILITY_WORDS_MAX])
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t length = strlen(table[i].start);

		if (strncmp(capability, table[i].start, length) != 0)
			continue;
		snprintf(ret, CAPABILITY_WORDS_MAX, "%s%s", table[i].words, capability + length);
		return;
	}
	snprintf(ret, CAPABILITY_WORDS_MAX, "%s", capability);
}
