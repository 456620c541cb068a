/* SPDX-License-Identifier: Apache-2.0 */
/* One plugin in trouble: why, mask, unmask, log-level. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/available.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "config/config.h"

#define REASON_MAX 512
#define USER_MAX 64

static bool
is_name(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' && strlen(name) <= 32 &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static int
need_name(const struct cli *cli, int argc, char **argv, int expected, const char *usage)
{
	if (argc != expected)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "%s", usage);
	return is_name(argv[0])
	    ? CLI_DONE
	    : cli_usage(cli, "'%s' is no plugin's name (see: cairn plugin list)", argv[0]);
}

/* ---- who made a file, and when ---------------------------------------------------------- */

struct made {
	bool exists;
	char by[USER_MAX];
	char at[CLOCK_TEXT_MAX];
};

static void
who_made(const char *path, struct made *ret)
{
	struct stat st;
	const struct passwd *user;

	*ret = (struct made){0};
	if (lstat(path, &st) != 0)
		return;
	ret->exists = true;
	user = getpwuid(st.st_uid);
	if (user != NULL)
		snprintf(ret->by, sizeof ret->by, "%s", user->pw_name);
	else
		snprintf(ret->by, sizeof ret->by, "user %u", (unsigned)st.st_uid);
	clock_text((uint64_t)st.st_mtime * 1000, ret->at);
}

static void
who_enabled(const struct cli *cli, const char *name, struct made *ret)
{
	char path[PATH_MAX];

	*ret = (struct made){0};
	if (snprintf(path, sizeof path, "%s/plugins/enabled/%s.yaml", cli->home, name) <
	    (int)sizeof path)
		who_made(path, ret);
}

/* With the reason that was given. */
static void
who_masked(const struct cli *cli, const char *name, struct made *ret, char reason[REASON_MAX])
{
	char path[PATH_MAX];
	BUF_AUTO text = {.max = REASON_MAX};

	*ret = (struct made){0};
	reason[0] = 0;
	if (plugin_mask_path(cli->home, name, path, sizeof path) != 0)
		return;
	who_made(path, ret);
	if (ret->exists && file_read(path, &text, NULL) == 0 && buf_text(&text) != NULL)
		snprintf(reason, REASON_MAX, "%.*s", (int)strcspn(buf_text(&text), "\n"),
		    buf_text(&text));
}

/* ---- why -------------------------------------------------------------------------------- */

struct why {
	const char *name;
	struct made enabled, masked;
	char mask_reason[REASON_MAX];
	json_t *node; /* the node's answer; NULL when it does not run or does not have it */
	struct cairn_error err;
};

static const char *
state_of(const struct why *why)
{
	if (why->masked.exists)
		return "masked";
	if (why->node != NULL)
		return cli_json_text(why->node, "state");
	return why->enabled.exists ? "enabled, not running" : "disabled";
}

static void
advise(const struct why *why, char *ret, size_t size)
{
	const char *name = why->name, *state = state_of(why);

	if (strcmp(state, "masked") == 0)
		snprintf(ret, size, "cairn plugin unmask %s, then enable it", name);
	else if (strcmp(state, "disabled") == 0)
		snprintf(ret, size, "cairn plugin enable %s", name);
	else if (strcmp(state, "enabled, not running") == 0)
		snprintf(ret, size, "cairn check, then cairn run or cairn plugin restart %s", name);
	else if (strcmp(state, "failed") == 0)
		snprintf(ret, size,
		    "it was given up: correct the cause (cairn plugin logs %s), then cairn plugin "
		    "restart %s",
		    name, name);
	else if (strcmp(state, "waiting") == 0)
		snprintf(ret, size,
		    "it is started again by itself; when that does not help: cairn plugin logs %s, "
		    "correct the cause, cairn plugin restart %s",
		    name, name);
	else if (strcmp(state, "ready") == 0)
		snprintf(ret, size, "nothing");
	else
		snprintf(ret, size, "wait a moment and ask again");
}

static void
print_failures(const struct cli *cli, const json_t *failures)
{
	const json_t *failure;
	size_t index;

	json_array_foreach(failures, index, failure)
	{
		char at[CLOCK_TEXT_MAX];

		clock_text((uint64_t)cli_json_number(failure, "at_ms"), at);
		printf("  %s  %s%s%s: ", index == 0 ? "failures " : "         ",
		    cli_colour(cli, CLI_DIM), at, cli_colour(cli, CLI_PLAIN));
		cli_print_safe(stdout, cli_json_text(failure, "reason"));
		putchar('\n');
	}
}

static void
print_running(const struct cli *cli, const json_t *node)
{
	const json_t *breaker = json_object_get(node, "breaker");

	if (strcmp(cli_json_text(node, "state"), "ready") == 0)
		printf("  ready      for %lld s, pid %lld\n",
		    cli_json_number(node, "ready_for_ms") / 1000, cli_json_number(node, "pid"));
	if (strcmp(cli_json_text(node, "state"), "waiting") == 0)
		printf("  next try   in %lld ms\n", cli_json_number(node, "next_try_ms"));
	printf("  breaker    %s: opens at %lld failures within %lld s\n",
	    json_is_true(json_object_get(breaker, "open")) ? "open, nothing is tried" : "closed",
	    cli_json_number(breaker, "limit"), cli_json_number(breaker, "window_s"));
	printf("  counts     %lld starts, %lld failures, %lld restarts that nobody asked for\n",
	    cli_json_number(node, "starts"), cli_json_number(node, "failures"),
	    cli_json_number(node, "restarts"));
	printf("  on_failure %s; logs at level %s\n", cli_json_text(node, "on_failure"),
	    cli_json_text(node, "log_level"));
	if (cli_json_number(node, "refused") > 0) {
		printf("  refused    %lld accesses, the last: ", cli_json_number(node, "refused"));
		cli_print_safe(stdout, cli_json_text(node, "last_refused"));
		putchar('\n');
	}
	print_failures(cli, json_object_get(node, "last_failures"));
}

static void
print_why(const struct cli *cli, const struct why *why)
{
	char advice[256];

	advise(why, advice, sizeof advice);
	printf("%s%s%s is %s\n", cli_colour(cli, CLI_BOLD), why->name, cli_colour(cli, CLI_PLAIN),
	    state_of(why));
	if (why->masked.exists) {
		printf("  masked     by %s at %s: ", why->masked.by, why->masked.at);
		cli_print_safe(
		    stdout, why->mask_reason[0] == 0 ? "no reason given" : why->mask_reason);
		putchar('\n');
	}
	if (why->enabled.exists)
		printf("  enabled    by %s at %s\n", why->enabled.by, why->enabled.at);
	if (why->node != NULL)
		print_running(cli, why->node);
	else if (why->err.code != 0 && why->err.code != CAIRN_ENOTFOUND)
		printf("  node       %s\n", why->err.text);
	printf("  to do      %s\n", advice);
}

/* ---- a name that nobody knows ----------------------------------------------------------- */

struct candidates {
	const char *name;
	char near[64]; /* "" until one is found */
};

static const char *
only(const void *arg, size_t index)
{
	return index == 0 ? arg : NULL;
}

/* Each file's name alone is weighed; the first that is near is named. */
static int
weigh(void *arg, const char *path, struct cairn_error *err)
{
	struct candidates *candidates = arg;
	char name[64];

	(void)err;
	path = strrchr(path, '/') + 1;
	snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "."), path);
	if (candidates->near[0] == 0 && text_suggest(candidates->name, only, name) != NULL)
		memcpy(candidates->near, name, sizeof name);
	return 0;
}

/* Neither enabled, masked, running, described nor installed. */
static bool
is_unknown(const struct cli *cli, const struct why *why)
{
	struct node_config *node = NULL;
	char described[PATH_MAX], object[PATH_MAX];
	bool known = why->enabled.exists || why->masked.exists || why->node != NULL;

	if (known || node_config_load(cli->home, &node, NULL) != 0)
		return false;
	if (snprintf(described, sizeof described, "%s/plugins/available/%s.yaml", cli->home,
		why->name) < (int)sizeof described &&
	    snprintf(object, sizeof object, "%s/%s.so", node->plugin_dir, why->name) <
		(int)sizeof object)
		known = file_exists(described) || file_exists(object);
	node_config_free(node);
	return !known;
}

static int
fail_unknown(const struct cli *cli, const char *name)
{
	struct candidates candidates = {.name = name};
	char path[PATH_MAX];

	if (file_join(path, sizeof path, cli->home, "plugins/available") == 0)
		available_files(path, ".yaml", weigh, &candidates, NULL);
	if (candidates.near[0] != 0)
		return cli_failf(cli, CAIRN_ENOTFOUND,
		    "there is no plugin '%s'; did you mean '%s'?", name, candidates.near);
	return cli_failf(
	    cli, CAIRN_ENOTFOUND, "there is no plugin '%s' (see: cairn plugin list)", name);
}

static json_t *
made_json(const struct made *made)
{
	return made->exists ? json_pack("{s:s, s:s}", "by", made->by, "at", made->at) : json_null();
}

static int
print_why_json(const struct why *why)
{
	char advice[256];
	json_t *object = why->node == NULL ? json_object() : json_deep_copy(why->node);

	advise(why, advice, sizeof advice);
	json_object_set_new(object, "name", json_string(why->name));
	json_object_set_new(object, "state", json_string(state_of(why)));
	json_object_set_new(object, "enabled", made_json(&why->enabled));
	json_object_set_new(object, "masked", made_json(&why->masked));
	if (why->masked.exists)
		json_object_set_new(object, "mask_reason", cli_text(why->mask_reason));
	json_object_set_new(object, "to_do", json_string(advice));
	return cli_print_json(object);
}

int
cli_why_run(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct why why = {0};
	int status;

	argc = cli_options(cli, options, argc, argv);
	status = need_name(cli, argc, argv, 1, "name one plugin");
	if (status != CLI_DONE)
		return status;
	why.name = argv[0];
	who_enabled(cli, argv[0], &why.enabled);
	who_masked(cli, argv[0], &why.masked, why.mask_reason);
	client_json(
	    cli, "kernel.plugin.why", json_pack("{s:s}", "name", argv[0]), &why.node, &why.err);
	if (is_unknown(cli, &why))
		return fail_unknown(cli, argv[0]);
	if (cli->json)
		print_why_json(&why);
	else
		print_why(cli, &why);
	json_decref(why.node);
	return CLI_DONE;
}

/* ---- mask, unmask ----------------------------------------------------------------------- */

static int
write_mask(const struct cli *cli, const char *name, const char *reason, struct cairn_error *err)
{
	char path[PATH_MAX], dir[PATH_MAX];
	char text[REASON_MAX];
	int code = plugin_mask_path(cli->home, name, path, sizeof path);

	if (code == 0)
		code = file_join(dir, sizeof dir, cli->home, "plugins/masked");
	if (code != 0)
		return cairn_error_set(err, code, "the path is too long: %s", cli->home);
	snprintf(text, sizeof text, "%.500s\n", reason == NULL ? "" : reason);
	code = file_mkdirs(dir, 0700, err);
	return code != 0 ? code : file_write(path, text, strlen(text), 0600, err);
}

/* A mask is worth nothing while the plugin runs: it is disabled as well. */
static int
disable(const struct cli *cli, const char *name, struct cairn_error *err)
{
	char link[PATH_MAX];
	json_t *reply = NULL;
	int code = 0;

	if (snprintf(link, sizeof link, "%s/plugins/enabled/%s.yaml", cli->home, name) >=
	    (int)sizeof link)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", cli->home);
	if (unlink(link) != 0)
		return errno == ENOENT ? 0
				       : cairn_error_set(err, CAIRN_EIO, "cannot remove %s: %s",
					     link, strerror(errno));
	if (client_running(cli->home))
		code = client_json(cli, "kernel.rescan", NULL, &reply, err);
	json_decref(reply);
	return code;
}

int
cli_mask_run(struct cli *cli, int argc, char **argv)
{
	const char *reason = NULL;
	const struct cli_option options[] = {{"--reason", &reason, NULL}, {0}};
	struct cairn_error err = {0};
	struct node_config *node = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	status = need_name(cli, argc, argv, 1, "name one plugin");
	if (status != CLI_DONE)
		return status;
	if (node_config_load(cli->home, &node, &err) != 0 || disable(cli, argv[0], &err) != 0 ||
	    write_mask(cli, argv[0], reason, &err) != 0) {
		node_config_free(node);
		return cli_fail(cli, &err);
	}
	node_config_free(node);
	if (cli->json)
		return cli_print_json(json_pack("{s:s}", "masked", argv[0]));
	printf("masked %s: it is disabled and cannot be enabled until `cairn plugin unmask %s`\n",
	    argv[0], argv[0]);
	return CLI_DONE;
}

int
cli_unmask_run(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	char path[PATH_MAX];
	int status;

	argc = cli_options(cli, options, argc, argv);
	status = need_name(cli, argc, argv, 1, "name one plugin");
	if (status != CLI_DONE)
		return status;
	if (plugin_mask_path(cli->home, argv[0], path, sizeof path) != 0)
		return cli_failf(cli, CAIRN_ELIMIT, "the path is too long: %s", cli->home);
	if (unlink(path) != 0)
		return errno == ENOENT
		    ? cli_failf(cli, CAIRN_ENOTFOUND, "%s is not masked", argv[0])
		    : cli_failf(cli, CAIRN_EIO, "cannot remove %s: %s", path, strerror(errno));
	if (cli->json)
		return cli_print_json(json_pack("{s:s}", "unmasked", argv[0]));
	printf("unmasked %s; it stays disabled (cairn plugin enable %s)\n", argv[0], argv[0]);
	return CLI_DONE;
}

/* ---- log-level -------------------------------------------------------------------------- */

int
cli_log_level_run(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	enum cairn_log_level level;
	json_t *reply = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	status = need_name(cli, argc, argv, 2, "name one plugin and a level");
	if (status != CLI_DONE)
		return status;
	if (log_level_parse(argv[1], &level) != 0)
		return cli_usage(
		    cli, "'%s' is no log level; error, warning, info and debug are", argv[1]);
	if (client_json(cli, "kernel.plugin.log-level",
		json_pack("{s:s, s:s}", "name", argv[0], "level", argv[1]), &reply, &err) != 0)
		return cli_fail(cli, &err);
	json_decref(reply);
	if (cli->json)
		return cli_print_json(
		    json_pack("{s:s, s:s}", "name", argv[0], "log_level", argv[1]));
	printf("%s logs at level %s until the node ends (cairn plugin logs %s)\n", argv[0], argv[1],
	    argv[0]);
	return CLI_DONE;
}
