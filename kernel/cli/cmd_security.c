/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin could do if it were hostile: `cairn plugin security`.  The figure is of what it was
 * granted, for the node gives it nothing else; what it asks for beyond that stands beside it.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/capability.h"
#include "config/config.h"
#include "provenance/trust.h"
#include "sandbox/sandbox.h"

#define LINES_MAX 160
#define WORDS_MAX 512
#define EXPOSURE_MAX 100 /* tenths */

/* How much each kind of capability opens, in tenths of the figure; told to the person with it. */
static const struct {
	const char *prefix;
	unsigned tenths; /* of the first */
	unsigned each;   /* of every further one */
} weights[] = {
    {"exec:", 25, 5},
    {"connect:", 25, 0},
    {"listen:", 15, 0},
    {"intake:", 15, 0},
    {"objects:write", 12, 0},
    {"objects:read", 10, 0},
    {"secret:", 8, 2},
    {"call:", 3, 1},
    {"job:", 2, 1},
    {"subscribe:", 2, 1},
    {"put:", 2, 1},
    {"publish:", 1, 1},
};

struct line {
	unsigned tenths;
	bool granted;
	char what[96];
	char words[WORDS_MAX];
};

struct exposure {
	struct line lines[LINES_MAX];
	size_t count;
	unsigned tenths; /* EXPOSURE_MAX at most */
	unsigned asked;  /* the same, were all granted that is asked for */
};

static unsigned
at_most(unsigned tenths)
{
	return tenths < EXPOSURE_MAX ? tenths : EXPOSURE_MAX;
}

static void
add(struct exposure *exposure, unsigned tenths, bool granted, const char *what, const char *words)
{
	struct line *line = &exposure->lines[exposure->count];

	exposure->asked = at_most(exposure->asked + tenths);
	if (granted)
		exposure->tenths = at_most(exposure->tenths + tenths);
	if (exposure->count == LINES_MAX)
		return;
	line->tenths = tenths;
	line->granted = granted;
	snprintf(line->what, sizeof line->what, "%.95s", what);
	snprintf(line->words, sizeof line->words, "%.511s", words);
	exposure->count++;
}

static void
add_capabilities(
    struct exposure *exposure, const struct manifest *manifest, const struct trust *trust)
{
	bool seen[sizeof weights / sizeof weights[0]] = {false};
	char words[CAPABILITY_WORDS_MAX];

	for (size_t i = 0; i < manifest->capability_count; i++) {
		const char *capability = manifest->capabilities[i];
		bool granted = trust_has(trust, TRUST_GRANT, manifest->name, capability);

		for (size_t j = 0; j < sizeof weights / sizeof weights[0]; j++) {
			if (strncmp(capability, weights[j].prefix, strlen(weights[j].prefix)) != 0)
				continue;
			capability_words(capability, words);
			add(exposure, seen[j] ? weights[j].each : weights[j].tenths, granted,
			    capability, words);
			seen[j] = true;
			break;
		}
	}
}

/* What the machine or the plugin's kind leaves open. */
static void
add_gaps(struct exposure *exposure, const struct manifest *manifest)
{
	const char *missing = sandbox_missing();
	char words[WORDS_MAX];

	if (missing != NULL) {
		snprintf(words, sizeof words, "this machine does not deny: %.400s", missing);
		add(exposure, strstr(missing, "no Landlock") != NULL ? 60 : 10, true, "machine",
		    words);
	}
	if (manifest->interpreter != NULL) {
		snprintf(words, sizeof words,
		    "it is a script: %.200s runs, and may connect to local sockets; the node's own "
		    "refuses it",
		    manifest->interpreter);
		add(exposure, 10, true, "interpreter", words);
	}
	add(exposure, 2, true, "always",
	    "use its processor time, memory and disk up to the node's limits");
}

static int
compare_lines(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	if (left->granted != right->granted)
		return left->granted ? -1 : 1;
	return (left->tenths < right->tenths) - (left->tenths > right->tenths);
}

static const char *
verdict(unsigned tenths)
{
	return tenths < 20 ? "closed" : tenths < 50 ? "modest" : tenths < 80 ? "exposed" : "open";
}

static int
print_json(const char *name, const struct exposure *exposure)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < exposure->count; i++) {
		const struct line *line = &exposure->lines[i];

		json_array_append_new(lines,
		    json_pack("{s:f, s:b, s:s, s:s}", "exposure", line->tenths / 10.0, "granted",
			line->granted, "what", line->what, "words", line->words));
	}
	return cli_print_json(json_pack("{s:s, s:f, s:f, s:s, s:o}", "plugin", name, "exposure",
	    exposure->tenths / 10.0, "asked", exposure->asked / 10.0, "verdict",
	    verdict(exposure->tenths), "lines", lines));
}

static int
print_exposure(struct cli *cli, const char *name, const struct exposure *exposure)
{
	bool more = false;

	if (cli->json)
		return print_json(name, exposure);
	printf("%s: exposure %u.%u of 10 (%s). If it were hostile, it could:\n", name,
	    exposure->tenths / 10, exposure->tenths % 10, verdict(exposure->tenths));
	for (size_t i = 0; i < exposure->count; i++) {
		const struct line *line = &exposure->lines[i];

		if (!line->granted && !more)
			printf("It also asks for the following, which was not granted; with it, "
			       "the figure would be %u.%u:\n",
			    exposure->asked / 10, exposure->asked % 10);
		more = !line->granted;
		printf("  %u.%u  %-24s %s\n", line->tenths / 10, line->tenths % 10, line->what,
		    line->words);
	}
	printf(
	    "Everything else is refused, recorded in the ledger and counted in `cairn status`.\n");
	return CLI_DONE;
}

int
cli_security_run(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	struct node_config *node = NULL;
	struct manifest *manifest = NULL;
	struct trust trust = {0};
	struct exposure *exposure;
	char path[PATH_MAX];
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin");
	code = node_config_load(cli->home, &node, &err);
	if (code == 0 && plugin_object_find(node, argv[0], path, sizeof path) != 0)
		code = cairn_error_set(&err, CAIRN_ENOTFOUND,
		    "no plugin '%.64s' is available (see: cairn plugin list)", argv[0]);
	if (code == 0)
		code = manifest_read(path, &manifest, &err);
	if (code == 0)
		code = trust_load(cli->home, &trust, &err);
	node_config_free(node);
	exposure = code == 0 ? calloc(1, sizeof *exposure) : NULL;
	if (code == 0 && exposure == NULL)
		code = cairn_error_set(&err, CAIRN_ENOMEM, "out of memory");
	if (code == 0) {
		add_capabilities(exposure, manifest, &trust);
		add_gaps(exposure, manifest);
		qsort(exposure->lines, exposure->count, sizeof exposure->lines[0], compare_lines);
		code = print_exposure(cli, manifest->name, exposure);
	}
	free(exposure);
	trust_fini(&trust);
	manifest_free(manifest);
	return code != 0 ? cli_fail(cli, &err) : CLI_DONE;
}
