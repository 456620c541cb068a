/* SPDX-License-Identifier: Apache-2.0 */
#include "node/welcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/setting.h"

#define WIRE_VERSION 1

static size_t
settings_needed(const struct config_values *values)
{
	size_t count = 0;

	for (size_t i = 0; i < values->count; i++) {
		const struct config_value *value = &values->values[i];

		count += value->option->type == CONFIG_LIST && value->item_count > 0
		    ? value->item_count
		    : 1;
	}
	return count;
}

static int
fill_settings(struct welcome *welcome, const struct config_values *values)
{
	size_t needed = settings_needed(values);
	size_t count = 0;

	welcome->settings = calloc(needed + 1, sizeof *welcome->settings);
	welcome->setting_list = calloc(needed + 1, sizeof(Cairn__Setting *));
	if (welcome->settings == NULL || welcome->setting_list == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < values->count; i++) {
		const struct config_value *value = &values->values[i];
		size_t items = value->option->type == CONFIG_LIST ? value->item_count : 0;

		for (size_t j = 0; j < (items == 0 ? 1 : items); j++) {
			Cairn__Setting *setting = &welcome->settings[count];

			cairn__setting__init(setting);
			setting->key = value->option->key;
			if (items == 0) {
				config_setting_fill(setting, value);
			} else {
				setting->value_case = CAIRN__SETTING__VALUE_TEXT;
				setting->text = value->items[j];
			}
			welcome->setting_list[count++] = setting;
		}
	}
	welcome->message.settings = welcome->setting_list;
	welcome->message.n_settings = count;
	return 0;
}

/* A secret is a key of its own for one purpose in this project; the site key itself stays here. */
static int
fill_secrets(struct welcome *welcome, struct node *node, const struct manifest *manifest,
    struct cairn_error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < manifest->capability_count; i++) {
		const char *capability = manifest->capabilities[i];
		Cairn__Secret *secret = &welcome->secrets[count];
		int code;

		if (strncmp(capability, "secret:", 7) != 0)
			continue;
		if (count == WELCOME_SECRETS_MAX)
			return cairn_error_set(err, CAIRN_ELIMIT,
			    "plugin '%s' asks for more than %d secrets", manifest->name,
			    WELCOME_SECRETS_MAX);
		code = identity_subkey(node->identity, node->config->project, capability + 7,
		    welcome->secret_bytes[count], err);
		if (code != 0)
			return code;
		cairn__secret__init(secret);
		secret->name = manifest->capabilities[i] + 7;
		secret->value.data = welcome->secret_bytes[count];
		secret->value.len = WELCOME_SECRET_BYTES;
		welcome->secret_list[count++] = secret;
	}
	welcome->message.secrets = welcome->secret_list;
	welcome->message.n_secrets = count;
	return 0;
}

static bool
wants(const struct manifest *manifest, const char *a, const char *b)
{
	return manifest_has(manifest, a) || (b != NULL && manifest_has(manifest, b));
}

static int
fill_directories(struct welcome *welcome, struct node *node, const struct manifest *manifest,
    struct cairn_error *err)
{
	const char *home = node->config->home;
	int state = snprintf(welcome->state_dir, PATH_MAX, "%s/state/%s", home, manifest->name);
	int objects = snprintf(welcome->objects_dir, PATH_MAX, "%s/objects", home);
	int intake = snprintf(welcome->intake_dir, PATH_MAX, "%s/intake", home);

	if (state < 0 || state >= PATH_MAX || objects < 0 || objects >= PATH_MAX || intake < 0 ||
	    intake >= PATH_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "the node's home has too long a path: %s", home);
	welcome->message.state_dir = welcome->state_dir;
	if (wants(manifest, "objects:read", "objects:write"))
		welcome->message.objects_dir = welcome->objects_dir;
	if (wants(manifest, "intake:write", NULL))
		welcome->message.intake_dir = welcome->intake_dir;
	return file_mkdirs(welcome->state_dir, 0700, err);
}

static int
fill_welcome(struct welcome *welcome, struct node *node, const struct plugin_config *config,
    struct cairn_error *err)
{
	int code;

	cairn__welcome__init(&welcome->message);
	welcome->message.wire = WIRE_VERSION;
	welcome->message.node_id = node->config->id;
	welcome->message.project = node->config->project;
	welcome->message.heartbeat_ms = node->config->heartbeat_ms;
	code = fill_settings(welcome, &config->values);
	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	code = fill_directories(welcome, node, config->manifest, err);
	return code != 0 ? code : fill_secrets(welcome, node, config->manifest, err);
}

void
welcome_free(struct welcome *welcome)
{
	free(welcome->settings);
	free(welcome->setting_list);
	explicit_bzero(welcome, sizeof *welcome); /* it held secrets */
	free(welcome);
}

struct welcome *
welcome_new(struct node *node, const struct plugin_config *config, struct cairn_error *err)
{
	struct welcome *welcome = calloc(1, sizeof *welcome);

	if (welcome == NULL) {
		cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		return NULL;
	}
	if (fill_welcome(welcome, node, config, err) != 0) {
		welcome_free(welcome);
		return NULL;
	}
	return welcome;
}
