/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/accept.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config/capability.h"
#include "config/config.h"

#define UNGRANTED_MAX 128
#define GRANT_TEXT_MAX 4096

struct accept {
	const struct cli *cli;
	const struct accept_options *options;
	struct plugin_config plugin; /* as in development: its manifest is read to show it */
	struct trust trust;
	const char *name, *path;
	bool first; /* nothing was ever accepted under this name */
};

/* ---- the file --------------------------------------------------------------------------- */

static bool
has_signature(const char *path)
{
	char sig[PATH_MAX];
	int wrote = snprintf(sig, sizeof sig, "%s.sig", path);

	return wrote > 0 && wrote < (int)sizeof sig && file_exists(sig);
}

static void
say_pinned(const struct accept *a)
{
	const struct manifest *manifest = a->plugin.manifest;

	if (a->cli->json)
		return;
	printf("accepted %s %s: %s\n", manifest->name, manifest->version, a->path);
	printf("  pinned at %s (plugins/trust)%s\n", a->plugin.object->digest,
	    has_signature(a->path) ? "; its signature is not by a trusted publisher" : "");
}

/* A signature that does not verify is never passed over in silence: --pin says it is known. */
static int
accept_file(struct accept *a, struct cairn_error *err)
{
	struct provenance *object = a->plugin.object;
	int code = provenance_judge(object, a->cli->home, a->name, a->path, false, err);

	if (code != 0)
		return code;
	if (object->verdict == PROVENANCE_REFUSED) {
		if (!a->options->pin &&
		    (has_signature(a->path) || (!a->first && !a->options->named)))
			return cairn_error_set(err, CAIRN_EFORBIDDEN, "%s", object->text);
		if (a->options->pin && !a->options->named)
			trust_remove(&a->trust, TRUST_PIN, a->name, NULL);
		say_pinned(a);
	} else if (object->verdict == PROVENANCE_SIGNED && a->first && !a->cli->json) {
		printf("accepted %s %s: %s, signed by %s\n", a->name, a->plugin.manifest->version,
		    a->path, object->publisher);
	}
	return trust_add(&a->trust, TRUST_PIN, a->name, object->digest, err);
}

/* ---- what it may do --------------------------------------------------------------------- */

static void
print_wanted(const struct accept *a, const char *const *wanted, size_t count, FILE *to)
{
	fprintf(to, "  %s %s %s:\n", a->plugin.manifest->name, a->plugin.manifest->version,
	    a->first ? "may" : "asks to be allowed also to");
	for (size_t i = 0; i < count && i < UNGRANTED_MAX; i++) {
		char words[CAPABILITY_WORDS_MAX];

		capability_words(wanted[i], words);
		fprintf(to, "    %-28s ", wanted[i]);
		cli_print_safe(to, words);
		fputc('\n', to);
	}
}

static bool
is_interactive(const struct cli *cli)
{
	return cli->tty && !cli->json && isatty(STDIN_FILENO) == 1;
}

static bool
ask(void)
{
	char answer[16] = "";

	printf("  allow this? [y/N] ");
	fflush(stdout);
	return fgets(answer, sizeof answer, stdin) != NULL &&
	    (answer[0] == 'y' || answer[0] == 'Y');
}

static bool
is_listed(const char *list, const char *capability)
{
	size_t length = strlen(capability);

	for (const char *at = list; at != NULL && *at != 0; at += strcspn(at, ",")) {
		at += *at == ',';
		if (strcspn(at, ",") == length && strncmp(at, capability, length) == 0)
			return true;
	}
	return false;
}

static int
refuse_grants(const struct accept *a, const char *missing, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_EFORBIDDEN,
	    "%s %s asks for %s, which was not granted; grant it with --grant %s, or all that it "
	    "asks "
	    "for with --yes",
	    a->name, a->plugin.manifest->version, missing, missing);
}

static int
accept_grants(struct accept *a, struct cairn_error *err)
{
	const struct accept_options *options = a->options;
	const char *wanted[UNGRANTED_MAX];
	size_t count = plugin_ungranted(a->plugin.manifest, &a->trust, wanted, UNGRANTED_MAX);
	bool all = options->yes || (a->first && !options->ask && options->grant == NULL);
	int code = 0;

	if (count > UNGRANTED_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s asks for too much", a->name);
	if (count > 0 && !a->cli->json)
		print_wanted(a, wanted, count, stdout);
	if (count > 0 && !all && options->grant == NULL && is_interactive(a->cli))
		all = ask();
	for (size_t i = 0; code == 0 && i < count; i++) {
		if (!all && !is_listed(options->grant, wanted[i]))
			return refuse_grants(a, wanted[i], err);
		code = trust_add(&a->trust, TRUST_GRANT, a->name, wanted[i], err);
	}
	return code;
}

/* ---- both ------------------------------------------------------------------------------- */

static int
accept_both(struct accept *a, struct cairn_error *err)
{
	int code = trust_load(a->cli->home, &a->trust, err);

	if (code != 0)
		return code;
	a->first = trust_count(&a->trust, TRUST_PIN, a->name) == 0 &&
	    trust_count(&a->trust, TRUST_GRANT, a->name) == 0;
	code = accept_file(a, err);
	if (code == 0)
		code = accept_grants(a, err);
	return code == 0 ? trust_save(a->cli->home, &a->trust, err) : code;
}

int
accept_plugin(const struct cli *cli, const char *name, const char *path,
    const struct accept_options *options, struct cairn_error *err)
{
	struct accept a = {.cli = cli, .options = options, .name = name, .path = path};
	struct node_config *node = NULL;
	int code = node_config_load(cli->home, &node, err);

	if (code == 0) {
		node->development = node->asking = true;
		code = plugin_admit(node, name, path, &a.plugin, err);
	}
	if (code == 0 && strcmp(a.plugin.manifest->name, name) != 0)
		code = cairn_error_set(err, CAIRN_EINVAL,
		    "%s: is the plugin '%s', not '%s'; file and plugin must have one name", path,
		    a.plugin.manifest->name, name);
	if (code == 0)
		code = accept_both(&a, err);
	trust_fini(&a.trust);
	manifest_free(a.plugin.manifest);
	provenance_free(a.plugin.object);
	node_config_free(node);
	return code;
}
