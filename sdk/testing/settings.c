/* SPDX-License-Identifier: Apache-2.0 */
/* What the WELCOME of a real kernel says: settings, names, folders, secrets. */
#include "testing/private.h"

/* The index-th value of `key`, NULL beyond the last; fails the test when the key is not there. */
static const char *
setting(const struct cairn *cairn, const char *key, size_t index)
{
	size_t length = strlen(key);
	bool declared = false;

	for (size_t i = 0; i < cairn->setting_count; i++) {
		const char *item = cairn->settings[i];

		if (strncmp(item, key, length) != 0)
			continue;
		if (strcmp(item + length, "[]") == 0)
			declared = true;
		if (item[length] != '=')
			continue;
		declared = true;
		if (index-- == 0)
			return item + length + 1;
	}
	if (!declared)
		fail_msg("the plugin asks for the setting '%s', which the test did not give to "
			 "cairn_testing_new()",
		    key);
	return NULL;
}

static const char *
setting_one(struct cairn *cairn, const char *key)
{
	const char *text = setting(cairn, key, 0);

	if (text == NULL)
		fail_msg("the setting '%s' is an empty list", key);
	return text;
}

const char *
cairn_config_string(struct cairn *cairn, const char *key)
{
	return setting_one(cairn, key);
}

static void
check_end(const char *key, const char *text, const char *end)
{
	if (*text == 0 || *end != 0)
		fail_msg("the setting '%s' is '%s', which is no number", key, text);
}

int64_t
cairn_config_integer(struct cairn *cairn, const char *key)
{
	const char *text = setting_one(cairn, key);
	char *end;
	long long value = strtoll(text, &end, 10);

	check_end(key, text, end);
	return value;
}

double
cairn_config_number(struct cairn *cairn, const char *key)
{
	const char *text = setting_one(cairn, key);
	char *end;
	double value = strtod(text, &end);

	check_end(key, text, end);
	return value;
}

bool
cairn_config_bool(struct cairn *cairn, const char *key)
{
	const char *text = setting_one(cairn, key);

	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		fail_msg("the setting '%s' is '%s', not true or false", key, text);
	return strcmp(text, "true") == 0;
}

size_t
cairn_config_list_length(struct cairn *cairn, const char *key)
{
	size_t count = 0;

	while (setting(cairn, key, count) != NULL)
		count++;
	return count;
}

const char *
cairn_config_list_get(struct cairn *cairn, const char *key, size_t index)
{
	const char *item = setting(cairn, key, index);

	if (item == NULL)
		fail_msg("the list '%s' has no item %zu", key, index);
	return item;
}

const char *
cairn_node_id(struct cairn *cairn)
{
	(void)cairn;
	return "test-node";
}

const char *
cairn_project(struct cairn *cairn)
{
	(void)cairn;
	return "tests";
}

const char *
cairn_state_dir(struct cairn *cairn)
{
	return cairn->dir;
}

const char *
cairn_objects_dir(struct cairn *cairn)
{
	return cairn->objects;
}

const char *
cairn_intake_dir(struct cairn *cairn)
{
	return cairn->intake;
}

int
cairn_secret(struct cairn *cairn, const char *name, const uint8_t **ret_bytes, size_t *ret_length)
{
	for (size_t i = 0; i < cairn->secret_count; i++) {
		if (strcmp(cairn->secrets[i].name, name) != 0)
			continue;
		*ret_bytes = cairn->secrets[i].bytes;
		*ret_length = cairn->secrets[i].length;
		return 0;
	}
	return CAIRN_EFORBIDDEN;
}

struct uv_loop_s *
cairn_loop(struct cairn *cairn)
{
	return &cairn->loop;
}

void
cairn_log(enum cairn_log_level level, const char *format, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fprintf(stderr, "plugin %s: %s\n", (unsigned)level < 4 ? names[level] : "?", line);
}
