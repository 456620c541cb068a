/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/private.h"
#include "sh/host.h"

#define ENVIRONMENT_MAX ((size_t)1 << 20) /* less than what the system takes */
#define VARIABLES_MAX 1024

/* Appends NAME=VALUE and its zero; a value of the wire holds no zero byte. */
static int
add(struct buf *text, const char *name, const char *value)
{
	int code = buf_append_format(text, "%s=%s", name, value == NULL ? "" : value);

	return code == 0 ? buf_append_zero(text, 1) : code;
}

/* PREFIX + "deid.min-cell" becomes PREFIX + DEID_MIN_CELL. */
static int
add_name(struct buf *text, const char *prefix, const char *key)
{
	int code = buf_append_text(text, prefix);

	for (; *key != 0 && code == 0; key++) {
		char letter =
		    isalnum((unsigned char)*key) ? (char)toupper((unsigned char)*key) : '_';

		code = buf_append(text, &letter, 1);
	}
	return code == 0 ? buf_append_text(text, "=") : code;
}

static int
add_value(struct buf *text, const Cairn__Setting *setting)
{
	switch (setting->value_case) {
	case CAIRN__SETTING__VALUE_TEXT:
		return buf_append_text(text, setting->text);
	case CAIRN__SETTING__VALUE_INTEGER:
		return buf_append_format(text, "%lld", (long long)setting->integer);
	case CAIRN__SETTING__VALUE_NUMBER:
		return buf_append_format(text, "%.17g", setting->number);
	case CAIRN__SETTING__VALUE_BOOLEAN:
		return buf_append_text(text, setting->boolean ? "true" : "false");
	default:
		return 0; /* an empty list */
	}
}

/* The items of a list follow each other; they become lines of one variable. */
static int
add_settings(struct buf *text, const Cairn__Welcome *welcome)
{
	int code = 0;

	for (size_t i = 0; i < welcome->n_settings && code == 0; i++) {
		const Cairn__Setting *setting = welcome->settings[i];
		bool more = i + 1 < welcome->n_settings &&
		    strcmp(welcome->settings[i + 1]->key, setting->key) == 0;
		bool again = i > 0 && strcmp(welcome->settings[i - 1]->key, setting->key) == 0;

		if (!again)
			code = add_name(text, "CAIRN_CONFIG_", setting->key);
		if (code == 0)
			code = add_value(text, setting);
		if (code == 0)
			code = more ? buf_append_text(text, "\n") : buf_append_zero(text, 1);
	}
	return code;
}

static int
add_request(struct buf *text, const struct cairn_request *req)
{
	const Cairn__Envelope *envelope = request_envelope(req);
	int code = add(text, "CAIRN_SUBJECT", cairn_request_subject(req));

	if (code == 0)
		code = add(text, "CAIRN_PRINCIPAL", cairn_request_principal(req));
	if (code == 0)
		code = add(text, "CAIRN_PURPOSE", cairn_request_purpose(req));
	for (size_t i = 0; i < envelope->n_obligations && code == 0; i++) {
		code = add_name(text, "CAIRN_OBLIGATION_", envelope->obligations[i]->name);
		if (code == 0)
			code = buf_append_format(
			    text, "%lld", (long long)envelope->obligations[i]->value);
		if (code == 0)
			code = buf_append_zero(text, 1);
	}
	return code;
}

static int
add_job(struct buf *text, const struct cairn_job *job)
{
	int code = add(text, "CAIRN_QUEUE", cairn_job_queue(job));

	if (code == 0)
		code = add(text, "CAIRN_KEY", cairn_job_key(job));
	if (code == 0)
		code = buf_append_format(text, "CAIRN_ATTEMPT=%u", cairn_job_attempt(job));
	return code == 0 ? buf_append_zero(text, 1) : code;
}

static int
add_node(struct buf *text, struct cairn *cairn, const struct files *files)
{
	const struct {
		const char *name, *value;
	} all[] = {{"PATH", getenv("PATH")}, {"LANG", getenv("LANG")}, {"TZ", getenv("TZ")},
	    {"CAIRN_PLUGIN", cairn->name}, {"CAIRN_NODE_ID", cairn_node_id(cairn)},
	    {"CAIRN_PROJECT", cairn_project(cairn)}, {"CAIRN_STATE_DIR", cairn_state_dir(cairn)},
	    {"CAIRN_OBJECTS_DIR", cairn_objects_dir(cairn)},
	    {"CAIRN_INTAKE_DIR", cairn_intake_dir(cairn)}};
	int code = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all && code == 0; i++) {
		if (all[i].value != NULL)
			code = add(text, all[i].name, all[i].value);
	}
	for (size_t i = 0; i < files->count && code == 0; i++) {
		code = add_name(text, "CAIRN_FILE_", files->list[i].name);
		if (code == 0)
			code = buf_append_text(text, files->list[i].path);
		if (code == 0)
			code = buf_append_zero(text, 1);
	}
	return code == 0 ? add_settings(text, cairn->welcome) : code;
}

static int
list(struct environment *environment)
{
	char *at = (char *)environment->text.data;
	char *end = at + environment->text.length;
	size_t count = 0;

	environment->list = calloc(VARIABLES_MAX + 1, sizeof(char *));
	if (environment->list == NULL)
		return CAIRN_ENOMEM;
	for (; at < end; at += strlen(at) + 1) {
		if (count == VARIABLES_MAX)
			return CAIRN_ELIMIT;
		environment->list[count++] = at;
	}
	return 0;
}

int
environment_make(
    struct environment *ret, const struct host *host, const struct turn *turn, const char *callback)
{
	int code;

	*ret = (struct environment){.text = {.max = ENVIRONMENT_MAX}};
	code = add_node(&ret->text, host->cairn, &host->files);
	if (code == 0)
		code = add(&ret->text, "CAIRN_CALLBACK", callback);
	if (code == 0 && turn == NULL)
		code =
		    add(&ret->text, "CAIRN_SERVING", cairn_serving(host->cairn) ? "true" : "false");
	if (code == 0 && turn != NULL && turn->request != NULL)
		code = add_request(&ret->text, turn->request);
	if (code == 0 && turn != NULL && turn->job != NULL)
		code = add_job(&ret->text, turn->job);
	if (code == 0 && turn != NULL && turn->subject != NULL)
		code = add(&ret->text, "CAIRN_SUBJECT", turn->subject);
	return code == 0 ? list(ret) : code;
}

void
environment_free(struct environment *environment)
{
	buf_fini(&environment->text);
	free(environment->list);
}
