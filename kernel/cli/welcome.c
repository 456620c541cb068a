/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/welcome.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "config/setting.h"

#define SETTINGS_MAX 4096
#define SECRETS_MAX 32
#define SECRET_BYTES 32
#define LONGEST_STRING 4096

static const char secret_prefix[] = "secret:";

struct filling {
	Cairn__Welcome message;
	Cairn__Setting settings[SETTINGS_MAX];
	Cairn__Setting *setting_list[SETTINGS_MAX];
	Cairn__Secret secrets[SECRETS_MAX];
	Cairn__Secret *secret_list[SECRETS_MAX];
	uint8_t secret_bytes[SECRET_BYTES];
	char state[PATH_MAX], objects[PATH_MAX], intake[PATH_MAX];
	char longest[LONGEST_STRING + 1];
};

bool
welcome_can_override(const struct config_option *option, bool max)
{
	bool limited = max ? option->has_max : option->has_min;

	if (option->choices != NULL)
		return option->type == CONFIG_STRING;
	return limited &&
	    (option->type == CONFIG_INTEGER || option->type == CONFIG_NUMBER ||
		(option->type == CONFIG_STRING &&
		    (max ? option->max : option->min) <= LONGEST_STRING));
}

/* The setting's smallest or largest value; of choices the first or the last. */
static void
override(
    struct filling *filling, Cairn__Setting *setting, const struct config_option *option, bool max)
{
	double limit = max ? option->max : option->min;
	size_t last = 0;

	if (option->choices != NULL) {
		while (max && option->choices[last + 1] != NULL)
			last++;
		setting->text = option->choices[last];
	} else if (option->type == CONFIG_STRING) {
		memset(filling->longest, 'x', (size_t)limit);
		filling->longest[(size_t)limit] = 0;
		setting->text = filling->longest;
	} else if (option->type == CONFIG_INTEGER) {
		setting->integer = (int64_t)limit;
	} else {
		setting->number = limit;
	}
}

static Cairn__Setting *
setting_add(struct filling *filling, const struct config_value *value)
{
	Cairn__Setting *setting = &filling->settings[filling->message.n_settings];

	if (filling->message.n_settings == SETTINGS_MAX)
		return NULL;
	cairn__setting__init(setting);
	setting->key = value->option->key;
	filling->setting_list[filling->message.n_settings++] = setting;
	return setting;
}

static int
fill_settings(struct filling *filling, const struct tested_options *options)
{
	for (size_t i = 0; i < options->values->count; i++) {
		const struct config_value *value = &options->values->values[i];
		const char *key = value->option->key;
		bool list = value->option->type == CONFIG_LIST && value->item_count > 0;

		for (size_t j = 0; j < (list ? value->item_count : 1); j++) {
			Cairn__Setting *setting = setting_add(filling, value);

			if (setting == NULL)
				return CAIRN_ELIMIT;
			config_setting_fill(setting, value);
			if (list) {
				setting->empty_list = false;
				setting->value_case = CAIRN__SETTING__VALUE_TEXT;
				setting->text = value->items[j];
			}
			if (options->override != NULL && strcmp(options->override, key) == 0)
				override(filling, setting, value->option, options->override_max);
		}
	}
	return 0;
}

static void
fill_secrets(struct filling *filling, const struct manifest *manifest)
{
	size_t length = strlen(secret_prefix);

	memset(filling->secret_bytes, 7, SECRET_BYTES);
	for (size_t i = 0; i < manifest->capability_count; i++) {
		Cairn__Secret *secret = &filling->secrets[filling->message.n_secrets];

		if (strncmp(manifest->capabilities[i], secret_prefix, length) != 0 ||
		    filling->message.n_secrets == SECRETS_MAX)
			continue;
		cairn__secret__init(secret);
		secret->name = manifest->capabilities[i] + length;
		secret->value.data = filling->secret_bytes;
		secret->value.len = SECRET_BYTES;
		filling->secret_list[filling->message.n_secrets++] = secret;
	}
}

/* Those of the node, where they are; nothing is made. */
static int
fill_own_folders(
    struct filling *filling, const struct tested_options *options, struct cairn_error *err)
{
	const struct manifest *manifest = options->manifest;
	const char *home = options->check->node->home;
	bool objects =
	    manifest_has(manifest, "objects:read") || manifest_has(manifest, "objects:write");
	int wrote = snprintf(filling->state, PATH_MAX, "%s/state/%s", home, manifest->name);

	if (wrote < 0 || wrote >= PATH_MAX ||
	    file_join(filling->objects, PATH_MAX, home, "objects") != 0 ||
	    file_join(filling->intake, PATH_MAX, home, "intake") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	filling->message.state_dir = filling->state;
	if (objects)
		filling->message.objects_dir = filling->objects;
	if (manifest_has(manifest, "intake:write"))
		filling->message.intake_dir = filling->intake;
	return 0;
}

static int
fill_folders(struct filling *filling, const struct tested_options *options, struct cairn_error *err)
{
	const struct manifest *manifest = options->manifest;
	bool objects =
	    manifest_has(manifest, "objects:read") || manifest_has(manifest, "objects:write");
	int code = 0;

	if (options->check != NULL)
		return fill_own_folders(filling, options, err);
	if (file_join(filling->state, PATH_MAX, options->dir, "state") != 0 ||
	    file_join(filling->objects, PATH_MAX, options->dir, "objects") != 0 ||
	    file_join(filling->intake, PATH_MAX, options->dir, "intake") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	filling->message.state_dir = filling->state;
	code = file_mkdirs(filling->state, 0700, err);
	if (code == 0 && objects) {
		filling->message.objects_dir = filling->objects;
		code = file_mkdirs(filling->objects, 0700, err);
	}
	if (code == 0 && manifest_has(manifest, "intake:write")) {
		filling->message.intake_dir = filling->intake;
		code = file_mkdirs(filling->intake, 0700, err);
	}
	return code;
}

static int
pack(struct filling *filling, const struct tested_options *options, struct welcome *ret,
    struct cairn_error *err)
{
	char node[] = "test-node", project[] = "tests";
	int code;

	cairn__welcome__init(&filling->message);
	filling->message.wire = 1;
	filling->message.heartbeat_ms = 2000;
	filling->message.node_id = node;
	filling->message.project = project;
	if (options->check != NULL) {
		filling->message.node_id = options->check->node->id;
		filling->message.project = options->check->node->project;
		filling->message.check = true;
		filling->message.serving = options->check->serving;
	}
	filling->message.settings = filling->setting_list;
	filling->message.secrets = filling->secret_list;
	if (fill_settings(filling, options) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "too many settings");
	fill_secrets(filling, options->manifest);
	code = fill_folders(filling, options, err);
	if (code != 0)
		return code;
	ret->length = cairn__welcome__get_packed_size(&filling->message);
	ret->bytes = malloc(ret->length + 1);
	if (ret->bytes == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	cairn__welcome__pack(&filling->message, ret->bytes);
	return 0;
}

int
welcome_make(struct welcome *ret, const struct tested_options *options, struct cairn_error *err)
{
	struct filling *filling = calloc(1, sizeof *filling);
	int code = filling == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
				   : pack(filling, options, ret, err);

	free(filling);
	return code;
}

void
welcome_fini(struct welcome *welcome)
{
	free(welcome->bytes);
	welcome->bytes = NULL;
}
