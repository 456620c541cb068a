/* SPDX-License-Identifier: Apache-2.0 */
#include "node/accepted.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "provenance/trust.h"

#define TRUST_BYTES_MAX ((size_t)8 << 20)

static int
read_trust(const char *path, struct buf *text, struct trust *ret, struct cairn_error *err)
{
	int code = file_exists(path) ? file_read(path, text, err) : 0;

	return code != 0 || text->length == 0
	    ? code
	    : trust_parse((const char *)text->data, text->length, ret, err);
}

static bool
has_line(const struct trust *trust, const struct trust_line *line)
{
	for (size_t i = 0; i < trust->count; i++) {
		const struct trust_line *other = &trust->lines[i];

		if (other->kind == line->kind && strcmp(other->name, line->name) == 0 &&
		    strcmp(other->value, line->value) == 0)
			return true;
	}
	return false;
}

/* What `a` has and `b` has not. */
static void
record_difference(
    struct node *node, const struct trust *a, const struct trust *b, const char *const verdicts[2])
{
	for (size_t i = 0; i < a->count; i++) {
		const struct trust_line *line = &a->lines[i];

		if (!has_line(b, line))
			node_record(node, "plugin", line->name, verdicts[line->kind == TRUST_GRANT],
			    line->value);
	}
}

static int
compare(struct node *node, const char *now_path, const char *seen_path, struct cairn_error *err)
{
	static const char *const added[] = {"accepted", "granted"};
	static const char *const taken[] = {"no longer accepted", "no longer granted"};
	BUF_AUTO now_text = {.max = TRUST_BYTES_MAX};
	BUF_AUTO seen_text = {.max = TRUST_BYTES_MAX};
	struct trust now = {0}, seen = {0};
	int code = read_trust(now_path, &now_text, &now, err);

	if (code == 0 && read_trust(seen_path, &seen_text, &seen, NULL) != 0)
		trust_fini(&seen); /* then all is recorded once more */
	if (code == 0) {
		record_difference(node, &now, &seen, added);
		record_difference(node, &seen, &now, taken);
	}
	if (code == 0 &&
	    (now_text.length != seen_text.length ||
		(now_text.length > 0 &&
		    memcmp(now_text.data, seen_text.data, now_text.length) != 0)))
		code = file_write(seen_path, now_text.data == NULL ? (void *)"" : now_text.data,
		    now_text.length, 0600, err);
	trust_fini(&now);
	trust_fini(&seen);
	return code;
}

void
accepted_record(struct node *node)
{
	const char *home = node->config->home;
	char now[PATH_MAX], seen[PATH_MAX];
	struct cairn_error err = {0};

	if (snprintf(now, sizeof now, "%s/plugins/trust", home) >= (int)sizeof now ||
	    snprintf(seen, sizeof seen, "%s/state/kernel/trust-recorded", home) >= (int)sizeof seen)
		return;
	if (compare(node, now, seen, &err) != 0)
		log_warning("node", "which plugins are accepted was not recorded: %s", err.text);
}
