/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "runtime/private.h"

/* What the kernel's WELCOME said: configuration, names, directories, secrets. */

static const Cairn__Setting *
setting_find(struct cairn *cairn, const char *key, Cairn__Setting__ValueCase type)
{
	const Cairn__Welcome *welcome = cairn->welcome;

	for (size_t i = 0; i < welcome->n_settings; i++) {
		const Cairn__Setting *setting = welcome->settings[i];

		if (strcmp(setting->key, key) == 0 && setting->value_case == type)
			return setting;
	}
	log_error(RUNTIME_TOPIC,
	    "plugin %s asks for the setting '%s', which its manifest does not "
	    "declare with that type",
	    cairn->name, key);
	assert(false && "a setting that is not declared");
	return NULL;
}

const char *
cairn_config_string(struct cairn *cairn, const char *key)
{
	const Cairn__Setting *setting = setting_find(cairn, key, CAIRN__SETTING__VALUE_TEXT);

	return setting == NULL ? "" : setting->text;
}

int64_t
cairn_config_integer(struct cairn *cairn, const char *key)
{
	const Cairn__Setting *setting = setting_find(cairn, key, CAIRN__SETTING__VALUE_INTEGER);

	return setting == NULL ? 0 : setting->integer;
}

double
cairn_config_number(struct cairn *cairn, const char *key)
{
	const Cairn__Setting *setting = setting_find(cairn, key, CAIRN__SETTING__VALUE_NUMBER);

	return setting == NULL ? 0 : setting->number;
}

bool
cairn_config_bool(struct cairn *cairn, const char *key)
{
	const Cairn__Setting *setting = setting_find(cairn, key, CAIRN__SETTING__VALUE_BOOLEAN);

	return setting != NULL && setting->boolean;
}

/* The index-th item of a list, or NULL; counts the items into `*ret_count` when not NULL. */
static const char *
list_walk(struct cairn *cairn, const char *key, size_t index, size_t *ret_count)
{
	const Cairn__Welcome *welcome = cairn->welcome;
	const char *found = NULL;
	size_t count = 0;
	bool declared = false;

	for (size_t i = 0; i < welcome->n_settings; i++) {
		const Cairn__Setting *setting = welcome->settings[i];

		if (strcmp(setting->key, key) != 0)
			continue;
		declared = true;
		if (setting->empty_list || setting->value_case != CAIRN__SETTING__VALUE_TEXT)
			continue;
		if (count++ == index)
			found = setting->text;
	}
	if (!declared)
		log_error(RUNTIME_TOPIC,
		    "plugin %s asks for the list '%s', which its manifest "
		    "does not declare",
		    cairn->name, key);
	assert(declared);
	if (ret_count != NULL)
		*ret_count = count;
	return found;
}

size_t
cairn_config_list_length(struct cairn *cairn, const char *key)
{
	size_t count;

	list_walk(cairn, key, 0, &count);
	return count;
}

const char *
cairn_config_list_get(struct cairn *cairn, const char *key, size_t index)
{
	const char *item = list_walk(cairn, key, index, NULL);

	assert(item != NULL);
	return item;
}

const char *
cairn_node_id(struct cairn *cairn)
{
	return cairn->welcome->node_id;
}

const char *
cairn_project(struct cairn *cairn)
{
	return cairn->welcome->project;
}

const char *
cairn_state_dir(struct cairn *cairn)
{
	return cairn->welcome->state_dir;
}

static const char *
null_when_empty(const char *text)
{
	return *text == 0 ? NULL : text;
}

const char *
cairn_objects_dir(struct cairn *cairn)
{
	return null_when_empty(cairn->welcome->objects_dir);
}

const char *
cairn_intake_dir(struct cairn *cairn)
{
	return null_when_empty(cairn->welcome->intake_dir);
}

int
cairn_secret(struct cairn *cairn, const char *name, const uint8_t **ret_bytes, size_t *ret_length)
{
	for (size_t i = 0; i < cairn->welcome->n_secrets; i++) {
		const Cairn__Secret *secret = cairn->welcome->secrets[i];

		if (strcmp(secret->name, name) != 0)
			continue;
		*ret_bytes = secret->value.data;
		*ret_length = secret->value.len;
		return 0;
	}
	return CAIRN_EFORBIDDEN;
}

struct uv_loop_s *
cairn_loop(struct cairn *cairn)
{
	return cairn->loop;
}
