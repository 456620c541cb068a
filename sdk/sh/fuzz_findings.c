/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin's programs print of themselves: every finding has words. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sh/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void
cairn_finding(struct cairn_findings *findings, const struct cairn_finding *finding)
{
	(void)findings;
	if (finding->what == NULL || finding->what[0] == 0 || finding->severity > CAIRN_FAULT ||
	    strchr(finding->what, '|') != NULL || finding->why == NULL || finding->advice == NULL)
		__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char words[HOST_TEXT_MAX];

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	findings_read(text, NULL, words, sizeof words);
	free(text);
	return 0;
}
