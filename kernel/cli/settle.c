/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settle.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/client.h"

#define PAUSE_NS 30000000
#define WAIT_MS 30000u

static const json_t *
find_counts(const json_t *counts, const char *name)
{
	const json_t *plugin;
	size_t index;

	json_array_foreach(json_object_get(counts, "plugins"), index, plugin)
	{
		if (strcmp(cli_json_text(plugin, "name"), name) == 0)
			return plugin;
	}
	return NULL;
}

static int
say_failed(const json_t *why, const char *name, struct cairn_error *err)
{
	const json_t *last = json_array_get(json_object_get(why, "last_failures"), 0);
	const char *next = strcmp(cli_json_text(why, "state"), "failed") == 0
	    ? "the node has given it up"
	    : "the node goes on trying";

	return cairn_error_set(err, CAIRN_EUNAVAILABLE,
	    "%.300s; %s. Correct the cause and `cairn plugin restart %s` (more: cairn plugin why "
	    "%s)",
	    cli_json_text(last, "reason"), next, name, name);
}

/* 1: ready; 0: not yet; negative: failed. */
static int
look(const struct cli *cli, const json_t *before, const char *name, struct cairn_error *err)
{
	json_t *why = NULL;
	int code =
	    client_json(cli, "kernel.plugin.why", json_pack("{s:s}", "name", name), &why, err);

	if (code != 0)
		return code;
	if (cli_json_number(why, "failures") > cli_json_number(before, "failures"))
		code = say_failed(why, name, err);
	else
		code = strcmp(cli_json_text(why, "state"), "ready") == 0 &&
		    cli_json_number(why, "starts") >= cli_json_number(before, "starts");
	json_decref(why);
	return code;
}

int
settle_wait(const struct cli *cli, const json_t *counts, const char *name, struct cairn_error *err)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	const json_t *before = find_counts(counts, name);
	uint64_t limit_ms = cli->timeout_ms != 0 ? cli->timeout_ms : WAIT_MS;
	uint64_t start_ms = clock_monotonic_ms();
	int code;

	if (before == NULL)
		return cairn_error_set(err, CAIRN_ENOTFOUND, "the node does not run '%s'", name);
	while ((code = look(cli, before, name, err)) == 0) {
		if (clock_monotonic_ms() - start_ms > limit_ms)
			return cairn_error_set(err, CAIRN_ETIMEOUT,
			    "%s is not ready after %llu ms; see: cairn plugin why %s", name,
			    (unsigned long long)limit_ms, name);
		nanosleep(&pause, NULL);
	}
	return code > 0 ? 0 : code;
}
