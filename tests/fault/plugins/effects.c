/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin whose work leaves traces that can be counted.  EFFECTS.put makes a durable job of its
 * body, a key; handling a job appends the key to the file `effects` in the state directory, once:
 * keys that are there already (the job came again after a crash) are left alone.  A line is whole
 * or, after a kill in the middle of a write, cut off at the next start.
 */
#include <cairn/plugin.h>

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#define KEY_BYTES 16 /* every key, and a newline after it in the file */
#define LINE_BYTES (KEY_BYTES + 1)
#define SLOTS ((size_t)1 << 20)
#define RETRIED 4 /* the attempt that succeeds of a job whose key begins with 'r' */

struct effects {
	struct cairn *cairn;
	int fd;
	char (*seen)[LINE_BYTES]; /* open addressing; "" is free */
	uint64_t applied, again;
};

/* ---- what was done ---------------------------------------------------------------------- */

/* The key's slot, or the free one where it belongs; NULL when the table is full. */
static char *
find(struct effects *effects, const char *key)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < KEY_BYTES; i++)
		hash = (hash ^ (uint8_t)key[i]) * 1099511628211u;
	for (size_t i = 0; i < SLOTS; i++) {
		char *slot = effects->seen[(hash + i) & (SLOTS - 1)];

		if (slot[0] == 0 || memcmp(slot, key, KEY_BYTES) == 0)
			return slot;
	}
	return NULL;
}

static int
load(struct effects *effects)
{
	char line[LINE_BYTES];
	off_t whole = 0;

	while (pread(effects->fd, line, LINE_BYTES, whole) == LINE_BYTES) {
		char *slot = find(effects, line);

		if (slot == NULL)
			return CAIRN_ELIMIT;
		memcpy(slot, line, KEY_BYTES);
		whole += LINE_BYTES;
		effects->applied++;
	}
	return ftruncate(effects->fd, whole) == 0 ? 0 : CAIRN_EIO;
}

static int
apply(struct effects *effects, const char *key)
{
	char *slot = find(effects, key);
	char line[LINE_BYTES];

	if (slot == NULL)
		return CAIRN_ELIMIT;
	if (slot[0] != 0) {
		effects->again++;
		return 0;
	}
	memcpy(line, key, KEY_BYTES);
	line[KEY_BYTES] = '\n';
	if (write(effects->fd, line, LINE_BYTES) != LINE_BYTES)
		return CAIRN_EIO;
	memcpy(slot, key, KEY_BYTES);
	effects->applied++;
	return 0;
}

/* ---- callbacks -------------------------------------------------------------------------- */

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct effects *effects = calloc(1, sizeof *effects);
	char path[PATH_MAX];

	if (effects == NULL || (effects->seen = calloc(SLOTS, sizeof *effects->seen)) == NULL) {
		free(effects);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	effects->cairn = cairn;
	snprintf(path, sizeof path, "%s/effects", cairn_state_dir(cairn));
	effects->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (effects->fd < 0 || load(effects) != 0) {
		if (effects->fd >= 0)
			close(effects->fd);
		free(effects->seen);
		free(effects);
		return cairn_error_set(err, CAIRN_EIO, "cannot read %s", path);
	}
	*ret_self = effects;
	return 0;
}

static void
was_put(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)body, (void)length;
	if (code != 0)
		cairn_fail(arg, code, "%s", text);
	else
		cairn_reply(arg, "durable", 7);
}

static int
put(struct effects *effects, struct cairn_request *req, struct cairn_error *err)
{
	size_t length = 0;
	const char *body = cairn_request_body(req, &length);
	char key[LINE_BYTES] = "";
	struct cairn_job_put job = {.queue = EFFECTS, .key = key, .body = body, .length = length};

	if (length != KEY_BYTES)
		return cairn_error_set(err, CAIRN_EINVAL, "a key has 16 bytes, not %zu", length);
	memcpy(key, body, KEY_BYTES);
	return cairn_job_put(effects->cairn, &job, 1, was_put, req);
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct effects *effects = self;
	char text[96];
	int wrote;

	if (strcmp(cairn_request_subject(req), EFFECTS ".put") == 0)
		return put(effects, req, err);
	wrote = snprintf(text, sizeof text, "applied=%" PRIu64 " again=%" PRIu64, effects->applied,
	    effects->again);
	return cairn_reply(req, text, (size_t)wrote);
}

static int
job(void *self, struct cairn_job *item, struct cairn_error *err)
{
	size_t length = 0;
	const char *body = cairn_job_body(item, &length);

	if (length == KEY_BYTES && body[0] == 'r' && cairn_job_attempt(item) < RETRIED) {
		cairn_job_retry(item, "as its key asks for");
		return 0;
	}
	if (length != KEY_BYTES || apply(self, body) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot write the effect");
	cairn_job_done(item);
	return 0;
}

static void
stop(void *self)
{
	struct effects *effects = self;
	struct cairn *cairn = effects->cairn;

	close(effects->fd);
	free(effects->seen);
	free(effects);
	cairn_stopped(cairn);
}

CAIRN_PLUGIN(EFFECTS, "0.1.0",
    "summary: Does each job once and keeps count\n"
    "serves:\n"
    "  - {subject: " EFFECTS ".put, guarded: false}\n"
    "  - {subject: " EFFECTS ".show, guarded: false}\n"
    "capabilities: ['put:" EFFECTS "', 'job:" EFFECTS "']\n",
    .start = start, .call = call, .job = job, .stop = stop)
