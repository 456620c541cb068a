/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "sh/host.h"

#define LINE_MAX_BYTES 1024

/* The part before '|', without the spaces around it; `*at` goes behind. */
static char *
take_part(char **at)
{
	char *part = *at + strspn(*at, " \t");
	char *bar = strchr(part, '|');
	size_t length;

	*at = bar == NULL ? part + strlen(part) : bar + 1;
	if (bar != NULL)
		*bar = 0;
	length = strlen(part);
	while (length > 0 && (part[length - 1] == ' ' || part[length - 1] == '\t'))
		part[--length] = 0;
	return part;
}

static bool
read_severity(const char *word, size_t length, enum cairn_severity *ret)
{
	static const char *const words[] = {"fine", "warning", "fault"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strlen(words[i]) == length && strncmp(word, words[i], length) == 0) {
			*ret = (enum cairn_severity)i;
			return true;
		}
	}
	return false;
}

static bool
read_line(char *line, struct cairn_findings *findings)
{
	size_t word = strcspn(line, " \t");
	struct cairn_finding finding = {0};
	char *at = line + word;

	if (!read_severity(line, word, &finding.severity))
		return false;
	finding.what = take_part(&at);
	finding.why = take_part(&at);
	finding.advice = take_part(&at);
	if (finding.what[0] == 0)
		return false;
	cairn_finding(findings, &finding);
	return true;
}

int
findings_read(const char *output, struct cairn_findings *findings, char *ret_text, size_t size)
{
	char line[LINE_MAX_BYTES];

	if (output == NULL)
		output = "a zero byte";
	while (*output != 0) {
		size_t length = strcspn(output, "\n");
		int wrote = snprintf(
		    line, sizeof line, "%.*s", (int)(length < 4096 ? length : 4096), output);

		if (wrote > 0 && !read_line(line, findings)) {
			snprintf(ret_text, size,
			    "it printed a line that is not `fine|warning|fault WHAT | WHY | "
			    "ADVICE`");
			return CAIRN_EINVAL;
		}
		output += length + (output[length] == '\n');
	}
	return 0;
}
