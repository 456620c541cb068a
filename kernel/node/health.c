/* SPDX-License-Identifier: Apache-2.0 */
#include "node/health.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cairn/plugin.h>

#include "base/clock.h"
#include "depth.h"
#include "node/words.h"

#define TEXT_MAX 256

struct health {
	uint64_t asked, answered; /* ids; 0: never */
	uint64_t asked_ms;
	unsigned incarnation; /* that was asked: another one has not answered */
	int code;
	bool supported;
	json_t *findings;
};

int64_t
health_clock_offset_ms(void)
{
	struct timespec boot = {0};

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (int64_t)clock_wall_ms() -
	    ((int64_t)boot.tv_sec * 1000 + (int64_t)(boot.tv_nsec / 1000000));
}

void
health_free(struct health *health)
{
	if (health == NULL)
		return;
	json_decref(health->findings);
	free(health);
}

/* ---- asking ----------------------------------------------------------------------------- */

static int
ask(struct node_plugin *plugin)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	struct health *health = plugin->health;

	if (health == NULL)
		health = plugin->health = calloc(1, sizeof *health);
	if (health == NULL)
		return CAIRN_ENOMEM;
	/* One that has not answered yet is not asked again: so its wait is known. */
	if (health->asked != health->answered && health->incarnation == plugin->incarnation)
		return 0;
	health->asked++;
	health->asked_ms = clock_monotonic_ms();
	health->incarnation = plugin->incarnation;
	envelope.kind = CAIRN__ENVELOPE__KIND__HEALTH;
	envelope.id = health->asked;
	return node_plugin_send(plugin, &envelope);
}

/* ---- answers ---------------------------------------------------------------------------- */

static json_t *
text(const char *words)
{
	char clean[TEXT_MAX];

	words_clean(clean, sizeof clean, words, false);
	return json_string(clean);
}

static json_t *
finding_json(const Cairn__Finding *finding)
{
	static const char *const severities[] = {"fine", "warning", "fault"};
	unsigned severity = (unsigned)finding->severity;

	return json_pack("{s:s, s:o*, s:o*, s:o*}", "severity",
	    severities[severity > 2 ? 2 : severity], "what", text(finding->what), "why",
	    text(finding->why), "advice", text(finding->advice));
}

void
health_answered(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	struct health *health = plugin->health;
	Cairn__Findings *findings;

	if (health == NULL || envelope->id != health->asked || health->answered == health->asked)
		return; /* not asked, or asked again since */
	findings = (Cairn__Findings *)proto_unpack(
	    &cairn__findings__descriptor, NULL, envelope->body.data, envelope->body.len);
	health->answered = health->asked;
	health->code = findings == NULL ? CAIRN_EPROTO : envelope->code;
	health->supported = findings != NULL && findings->supported;
	json_decref(health->findings);
	health->findings = json_array();
	for (size_t i = 0; findings != NULL && i < findings->n_findings && i < CAIRN_FINDINGS_MAX;
	     i++)
		json_array_append_new(health->findings, finding_json(findings->findings[i]));
	if (findings != NULL)
		cairn__findings__free_unpacked(findings, NULL);
}

/* ---- kernel.health ---------------------------------------------------------------------- */

static json_t *
plugin_json(const struct node_plugin *plugin)
{
	const struct health *health = plugin->health;
	bool asked =
	    health != NULL && health->asked > 0 && health->incarnation == plugin->incarnation;
	bool answered = asked && health->answered == health->asked;

	return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:I, s:i, s:o}", "name",
	    plugin->config.manifest->name, "state",
	    supervisor_state_text(node_plugin_state(plugin)), "script",
	    plugin->config.manifest->script != NULL, "asked", asked, "answered", answered,
	    "supported", answered && health->supported, "waited_ms",
	    (json_int_t)(asked && !answered ? clock_monotonic_ms() - health->asked_ms : 0), "code",
	    answered ? health->code : 0, "findings",
	    answered ? json_copy(health->findings) : json_array());
}

int
health_serve(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	bool asks = json_is_true(json_object_get(request, "ask"));
	json_t *plugins = json_array();

	(void)err;
	for (size_t i = 0; i < node->plugin_count; i++) {
		struct node_plugin *plugin = node->plugins[i];

		if (plugin->removed)
			continue;
		if (asks && node_plugin_state(plugin) == SUPERVISOR_READY)
			ask(plugin);
		json_array_append_new(plugins, plugin_json(plugin));
	}
	json_object_set_new(reply, "plugins", plugins);
	json_object_set_new(reply, "clock_moved_ms",
	    json_integer((json_int_t)(health_clock_offset_ms() - node->clock_offset_ms)));
	return 0;
}
