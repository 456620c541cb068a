/* SPDX-License-Identifier: Apache-2.0 */
/* What a program says on descriptor 3, one line each:
 *     fulfil NAME VALUE      publish SUBJECT [TEXT]      put QUEUE KEY [TEXT]
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "sh/host.h"

#define PUTS_MAX 256

struct lines {
	struct turn *turn;
	struct cairn_job_put puts[PUTS_MAX];
	size_t count;
	struct cairn_error *err;
};

/* Cuts the next word off; what follows it is left in `*at`. */
static char *
word(char **at)
{
	char *start = *at;
	char *space = strchr(start, ' ');

	if (space == NULL) {
		*at = start + strlen(start);
	} else {
		*space = 0;
		*at = space + 1;
	}
	return start;
}

static int
fulfil(struct lines *lines, char *rest)
{
	char *name = word(&rest);
	int64_t value;

	if (lines->turn->request == NULL ||
	    text_to_integer(rest, INT64_MIN, INT64_MAX, &value) != 0)
		return cairn_error_set(
		    lines->err, CAIRN_EINVAL, "'fulfil' takes a name and a whole number");
	return cairn_fulfil(lines->turn->request, name, value);
}

static int
put(struct lines *lines, char *rest)
{
	struct cairn_job_put *job = &lines->puts[lines->count];

	if (lines->count == PUTS_MAX)
		return cairn_error_set(
		    lines->err, CAIRN_ELIMIT, "more than %d jobs were put", PUTS_MAX);
	job->queue = word(&rest);
	job->key = word(&rest);
	job->body = rest;
	job->length = strlen(rest);
	lines->count++;
	return 0;
}

static int
publish(struct lines *lines, char *rest)
{
	char *subject = word(&rest);

	return cairn_publish(lines->turn->host->cairn, subject, rest, strlen(rest));
}

static int
line_run(struct lines *lines, char *line)
{
	static const struct {
		const char *name;
		int (*run)(struct lines *lines, char *rest);
	} all[] = {{"fulfil", fulfil}, {"put", put}, {"publish", publish}};
	char *name = word(&line);

	if (*name == 0)
		return 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(all[i].name, name) == 0)
			return all[i].run(lines, line);
	}
	return cairn_error_set(lines->err, CAIRN_EINVAL,
	    "descriptor 3 takes fulfil, put and publish, not '%.40s'", name);
}

int
commands_run(struct turn *turn, struct buf *commands, cairn_call_fn done, size_t *ret_put,
    struct cairn_error *err)
{
	struct lines *lines = calloc(1, sizeof *lines);
	char *at = commands->length == 0 ? NULL : (char *)(uintptr_t)buf_text(commands);
	int code = lines == NULL ? CAIRN_ENOMEM : 0;

	if (code == 0) {
		lines->turn = turn;
		lines->err = err;
	}
	while (code == 0 && at != NULL) {
		char *end = strchr(at, '\n');

		if (end != NULL)
			*end = 0;
		code = line_run(lines, at);
		at = end == NULL ? NULL : end + 1;
	}
	if (code == 0 && lines->count > 0)
		code = cairn_job_put(turn->host->cairn, lines->puts, lines->count, done, turn);
	if (code == 0)
		*ret_put = lines->count;
	else if (err->code == 0)
		cairn_error_set(err, code, "a command was refused: %s", cairn_code_text(code));
	free(lines);
	return code;
}
