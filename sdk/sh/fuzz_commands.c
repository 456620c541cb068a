/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shell plugin's program may write to descriptor 3: any bytes.  The functions of the runtime
 * that would send it on only look at all they are given.
 */
#include <stdlib.h>
#include <string.h>

#include "sh/host.h"

static size_t seen; /* so that nothing is optimized away */
static size_t puts_seen;

int
cairn_fulfil(struct cairn_request *req, const char *name, int64_t value)
{
	(void)req;
	seen += strlen(name) + (size_t)(value & 1);
	return 0;
}

int
cairn_publish(struct cairn *cairn, const char *subject, const void *body, size_t length)
{
	const uint8_t *bytes = body;

	(void)cairn;
	seen += strlen(subject);
	for (size_t i = 0; i < length; i++)
		seen += bytes[i];
	return strlen(subject) > 120 ? CAIRN_EINVAL : 0;
}

int
cairn_job_put(struct cairn *cairn, const struct cairn_job_put *jobs, size_t count,
    cairn_call_fn done, void *arg)
{
	(void)cairn, (void)done, (void)arg;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = jobs[i].body;

		seen += strlen(jobs[i].queue) + strlen(jobs[i].key);
		for (size_t k = 0; k < jobs[i].length; k++)
			seen += bytes[k];
	}
	puts_seen = count;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host host = {0};
	struct turn turn = {.host = &host};
	struct cairn_error err = {0};
	BUF_AUTO commands = {.max = RUN_COMMANDS_MAX};
	size_t count = 0;
	char request;

	if (size == 0)
		return 0;
	if ((data[0] & 1) != 0)
		turn.request = (struct cairn_request *)&request; /* never looked into */
	if (buf_append(&commands, data + 1, size - 1) != 0)
		return 0;
	puts_seen = 0;
	if (commands_run(&turn, &commands, NULL, &count, &err) == 0) {
		if (count != puts_seen)
			__builtin_trap();
	} else if (err.code == 0 || err.text[0] == 0) {
		__builtin_trap();
	}
	return 0;
}
