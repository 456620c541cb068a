/* SPDX-License-Identifier: Apache-2.0 */
#include "node/subjects.h"

#include <string.h>

#include "base/text.h"
#include "node/services.h"

struct node_plugin *
subjects_handler(
    const struct node *node, const char *subject, const struct manifest_serve **ret_serve)
{
	for (size_t i = 0; i < node->plugin_count; i++) {
		struct node_plugin *plugin = node->plugins[i];
		const struct manifest *manifest = plugin->config.manifest;

		for (size_t j = 0; !plugin->removed && j < manifest->serve_count; j++) {
			if (strcmp(manifest->serves[j].subject, subject) == 0) {
				*ret_serve = &manifest->serves[j];
				return plugin;
			}
		}
	}
	return NULL;
}

struct subjects {
	const struct node *node;
};

static const char *
known_subject(const void *arg, size_t index)
{
	const struct subjects *subjects = arg;
	const struct node *node = subjects->node;
	const char *own = services_subject(index);
	size_t count = 0;

	if (own != NULL)
		return own;
	while (services_subject(count) != NULL)
		count++;
	index -= count;
	for (size_t i = 0; i < node->plugin_count; i++) {
		const struct manifest *manifest = node->plugins[i]->config.manifest;

		if (node->plugins[i]->removed)
			continue;
		if (index < manifest->serve_count)
			return manifest->serves[index].subject;
		index -= manifest->serve_count;
	}
	return NULL;
}

const char *
subjects_near(const struct node *node, const char *subject)
{
	struct subjects subjects = {node};

	return text_suggest(subject, known_subject, &subjects);
}
