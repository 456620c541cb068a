/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a file may be a plugin of this node.  The bytes come first: a manifest is read only from
 * a file that may run, and from the very bytes that will, so that nothing that an unknown file says
 * of itself is believed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/script.h"
#include "runtime/bundle.h"

#define UNGRANTED_MAX 128

/* What is known of a file that may not run: its name. */
static int
replace_by_stub(
    struct plugin_config *config, const char *name, const char *path, struct cairn_error *err)
{
	char text[160];
	int wrote = snprintf(
	    text, sizeof text, "name: %s\nversion: 0\nabi: 1\nsummary: may not run\n", name);
	struct manifest *stub = NULL;
	char *copy;
	int code = wrote < 0 || wrote >= (int)sizeof text
	    ? cairn_error_set(err, CAIRN_EINVAL, "'%s' is not a plugin's name", name)
	    : manifest_parse(text, (size_t)wrote, name, &stub, err);

	if (code != 0)
		return code;
	copy = strdup(path);
	if (copy == NULL) {
		manifest_free(stub);
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", path);
	}
	free(stub->path);
	stub->path = copy;
	manifest_free(config->manifest);
	config->manifest = stub;
	return 0;
}

size_t
plugin_ungranted(
    const struct manifest *manifest, const struct trust *trust, const char **ret, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < manifest->capability_count; i++) {
		const char *capability = manifest->capabilities[i];

		if (trust_has(trust, TRUST_GRANT, manifest->name, capability))
			continue;
		if (count < max)
			ret[count] = capability;
		count++;
	}
	return count;
}

/* An operator saw what a pinned or signed plugin asked for when it was enabled; a newer one that
 * asks for more waits until that is granted too. */
static int
check_grants(const struct node_config *node, struct plugin_config *config, struct cairn_error *err)
{
	struct provenance *object = config->object;
	const char *missing[UNGRANTED_MAX];
	struct trust trust = {0};
	size_t count;
	int code;

	if (node->asking || object->verdict == PROVENANCE_REFUSED ||
	    object->verdict == PROVENANCE_DEVELOPMENT)
		return 0;
	code = trust_load(node->home, &trust, err);
	if (code != 0)
		return code;
	count = plugin_ungranted(config->manifest, &trust, missing, UNGRANTED_MAX);
	if (count > 0) {
		object->verdict = PROVENANCE_REFUSED;
		snprintf(object->text, sizeof object->text,
		    "%s %s asks for %s%s, which was not granted; see `cairn plugin info %s`, and "
		    "grant it with `cairn plugin enable %s --yes`",
		    config->manifest->name, config->manifest->version, missing[0],
		    count > 1 ? " and more" : "", config->manifest->name, config->manifest->name);
	}
	trust_fini(&trust);
	return 0;
}

static int
read_script(const char *path, struct plugin_config *config, struct cairn_error *err)
{
	struct manifest *named = NULL;
	struct bundle bundle;
	int code = script_manifest_read(path, &named, err);

	/* Where the script lies; the rest of the manifest is read from the bytes that are judged.
	 */
	if (code == 0)
		code = provenance_open(path, named->script, &config->object, err);
	if (code == 0)
		code = bundle_read(config->object->bytes, config->object->size, &bundle, err);
	if (code == 0)
		code = script_manifest_parse(
		    bundle.manifest, bundle.manifest_length, path, &config->manifest, err);
	if (code == 0 && strcmp(config->manifest->script, named->script) != 0)
		code =
		    cairn_error_set(err, CAIRN_EAGAIN, "%s: was changed while it was read", path);
	manifest_free(named);
	return code;
}

static int
admit(const struct node_config *node, const char *name, const char *path,
    struct plugin_config *config, struct cairn_error *err)
{
	bool script = script_is_manifest(path);
	int code = script ? read_script(path, config, err)
			  : provenance_open(path, NULL, &config->object, err);

	if (code == 0)
		code = provenance_judge(
		    config->object, node->home, name, path, node->development, err);
	if (code == 0 && !script && config->object->verdict != PROVENANCE_REFUSED)
		code = manifest_read_fd(config->object->fd, path, &config->manifest, err);
	if (code == 0)
		code = check_grants(node, config, err);
	if (code == 0 && config->object->verdict == PROVENANCE_REFUSED)
		code = replace_by_stub(config, name, path, err);
	return code;
}

int
plugin_admit(const struct node_config *node, const char *name, const char *path,
    struct plugin_config *ret, struct cairn_error *err)
{
	struct plugin_config config = {0};
	int code = admit(node, name, path, &config, err);

	if (code != 0) {
		manifest_free(config.manifest);
		provenance_free(config.object);
		return code;
	}
	ret->manifest = config.manifest;
	ret->object = config.object;
	return 0;
}
