/* SPDX-License-Identifier: Apache-2.0 */
/* backup and restore of a node's home. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/backup.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "config/config.h"
#include "identity/identity.h"
#include "ledger/ledger.h"

#define NICE 10
#define MIB ((uint64_t)1 << 20)

/* ---- backup ----------------------------------------------------------------------------- */

/* The node comes first: on the processor, and on the disk (best effort, the lowest of eight). */
static void
be_modest(void)
{
	if (setpriority(PRIO_PROCESS, 0, NICE) != 0)
		errno = 0; /* as fast as the node, then */
	syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7);
}

static bool
is_tar(const char *to)
{
	size_t length = strlen(to);

	return length > 4 && strcmp(to + length - 4, ".tar") == 0;
}

/* A running node has it in its ledger; a stopped one is not told. */
static int
tell(struct cli *cli, const char *step, const char *to, bool keys, struct cairn_error *err)
{
	json_t *reply = NULL;
	int code;

	if (!client_running(cli->home))
		return 0;
	code = client_json(cli, "kernel.backup",
	    json_pack("{s:s, s:o, s:b}", "step", step, "to", cli_text(to), "keys", keys), &reply,
	    err);
	json_decref(reply);
	return code == 0
	    ? 0
	    : cairn_error_prefix(err, code, "the node did not put this backup into its ledger");
}

/* A backup within the home would hold itself; one that fills the disk would stop the node. */
static int
check_place(const struct cli *cli, const char *to, struct cairn_error *err)
{
	char home[PATH_MAX], place[PATH_MAX], *slash;
	struct statvfs fs;
	uint64_t need = backup_size(cli->home) / MIB, room;

	snprintf(place, sizeof place, "%s", to);
	while (realpath(place, home) == NULL) {
		slash = strrchr(place, '/');
		if (slash == NULL) {
			memcpy(place, ".", 2);
		} else {
			slash[slash == place] = 0;
		}
	}
	memcpy(place, home, sizeof place);
	if (realpath(cli->home, home) == NULL)
		return cairn_error_set(err, CAIRN_ENOTFOUND, "there is no node in %s", cli->home);
	if (strncmp(place, home, strlen(home)) == 0 &&
	    (place[strlen(home)] == '/' || place[strlen(home)] == 0))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a backup must lie outside the home that it is of");
	if (statvfs(place, &fs) != 0)
		return 0;
	room = fs.f_bavail * fs.f_frsize / MIB;
	/* A folder may hold most of it already. */
	if (is_tar(to) && need + BACKUP_RESERVE_MB > room)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "the backup takes up to %llu MiB and %llu are free in %s (%d are left alone)",
		    (unsigned long long)need, (unsigned long long)room, place, BACKUP_RESERVE_MB);
	return 0;
}

static void
name_list(struct backup_list *list, const char *node)
{
	struct timespec now = {0};
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(list->taken, sizeof list->taken, "%Y%m%dT%H%M%S", &utc);
	snprintf(list->taken + length, sizeof list->taken - length, ".%03uZ",
	    (unsigned)(now.tv_nsec / 1000000) % 1000);
	snprintf(list->node, sizeof list->node, "%.63s", node);
}

static int
make_backup(struct cli *cli, const struct backup_options *options, const char *to,
    struct backup_sink *sink, struct backup_list *list)
{
	struct cairn_error err = {0}, late = {0};
	struct node_config *node = NULL;
	int code = node_config_load(cli->home, &node, &err);

	if (code != 0)
		return cli_fail(cli, &err);
	name_list(list, node->id);
	node_config_free(node);
	code = check_place(cli, to, &err);
	if (code == 0)
		code =
		    is_tar(to) ? backup_tar_open(sink, to, &err) : backup_dir_open(sink, to, &err);
	if (code != 0)
		return cli_fail(cli, &err);
	code = tell(cli, "begun", to, options->keys, &err);
	if (code == 0)
		code = backup_take(sink, options, list, &err);
	if (code != 0)
		sink->end(sink, NULL, NULL);
	else
		code = sink->end(sink, list, &err);
	tell(cli, code == 0 ? "made" : "failed", to, options->keys, &late);
	return code == 0 ? CLI_DONE : cli_fail(cli, &err);
}

static int
print_backup(const struct cli *cli, const struct backup_sink *sink, const struct backup_list *list)
{
	uint64_t bytes = 0;
	size_t files = 0;

	for (size_t i = 0; i < list->count; i++) {
		files += list->entries[i].kind == BACKUP_FILE;
		bytes += list->entries[i].kind == BACKUP_FILE ? list->entries[i].size : 0;
	}
	if (cli->json)
		return cli_print_json(json_pack("{s:s, s:I, s:I, s:I, s:b}", "backup",
		    sink->name_shown, "files", (json_int_t)files, "bytes", (json_int_t)bytes,
		    "unchanged_bytes", (json_int_t)sink->linked, "keys", list->keys));
	printf("made %s\n  %zu files, %.1f MiB", sink->name_shown, files, (double)bytes / MIB);
	if (sink->linked > 0)
		printf(", of which %.1f MiB are those of the backup before",
		    (double)sink->linked / MIB);
	putchar('\n');
	if (list->keys)
		printf(
		    "  %sIT HOLDS THE KEYS%s: whoever reads it can undo pseudonyms and sign in "
		    "this "
		    "node's name.\n  Keep it as you keep the keys themselves, and not with other "
		    "backups.\n",
		    cli_colour(cli, CLI_RED), cli_colour(cli, CLI_PLAIN));
	else
		puts("  without the keys (keys/): keep a copy of them elsewhere, for without them "
		     "the "
		     "ledger\n  cannot be continued and no patient matches their pseudonym any "
		     "more");
	return CLI_DONE;
}

static int
run_backup(struct cli *cli, int argc, char **argv)
{
	const char *rate = NULL;
	struct backup_options settings = {.home = cli->home};
	const struct cli_option options[] = {
	    {"--keys", NULL, &settings.keys}, {"--rate", &rate, NULL}, {0}};
	struct backup_sink *sink = calloc(1, sizeof *sink);
	struct backup_list list = {0};
	int64_t mb = 0;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (sink == NULL)
		status = cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	else if (argc != 1)
		status = argc < 0 ? CLI_USAGE : cli_usage(cli, "name a FILE.tar or a folder");
	else if (rate != NULL && text_to_integer(rate, 1, 1000000, &mb) != 0)
		status = cli_usage(cli, "--rate takes MiB per second, not '%s'", rate);
	else {
		be_modest();
		sink->pace.bytes_per_s = (uint64_t)mb * MIB;
		status = make_backup(cli, &settings, argv[0], sink, &list);
		if (status == CLI_DONE)
			print_backup(cli, sink, &list);
	}
	backup_list_fini(&list);
	free(sink);
	return status;
}

/* ---- restore ---------------------------------------------------------------------------- */

/* What was proven before must be provable still. */
static int
verify_ledger(const char *home, struct ledger_report *report, struct cairn_error *err)
{
	char keys[PATH_MAX], dir[PATH_MAX];
	EVP_PKEY *key = NULL;
	int code;

	if (file_join(keys, sizeof keys, home, "keys") != 0 ||
	    file_join(dir, sizeof dir, home, "state/kernel/ledger") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	if (!file_exists(dir))
		return 0;
	code = identity_public_key(keys, &key, err);
	if (code == 0)
		code = ledger_verify(dir, key, report, NULL, NULL, err);
	EVP_PKEY_free(key);
	return code;
}

static int
print_restored(const struct cli *cli, const char *home, const struct backup_list *list,
    bool with_keys, const struct ledger_report *report)
{
	if (cli->json)
		return cli_print_json(json_pack("{s:s, s:s, s:s, s:b, s:I}", "home", home, "node",
		    list->node, "taken", list->taken, "keys", with_keys, "ledger_records",
		    (json_int_t)report->records));
	printf("restored '%s' as of %s in %s\n", list->node, list->taken, home);
	if (with_keys)
		printf(
		    "  its ledger is intact: %llu records\n", (unsigned long long)report->records);
	else
		printf(
		    "  %sthe backup has no keys%s: copy keys/ of this node to %s/keys before you "
		    "start it\n",
		    cli_colour(cli, CLI_YELLOW), cli_colour(cli, CLI_PLAIN), home);
	printf("\nnext (and never start the old home beside it: two nodes of one name and key):\n"
	       "  cairn --home %s check\n  cairn --home %s run\n",
	    home, home);
	return CLI_DONE;
}

static int
run_restore(struct cli *cli, int argc, char **argv)
{
	const char *keys = NULL;
	const struct cli_option options[] = {{"--keys", &keys, NULL}, {0}};
	struct ledger_report report = {.bad_record = UINT64_MAX};
	struct backup_list list = {0};
	struct cairn_error err = {0};
	bool with_keys;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 2)
		return argc < 0 ? CLI_USAGE
				: cli_usage(cli, "name the backup and the folder for the new home");
	if (restore_home(argv[0], argv[1], keys, &list, &err) != 0)
		return cli_fail(cli, &err);
	with_keys = list.keys || keys != NULL;
	if (with_keys && verify_ledger(argv[1], &report, &err) != 0)
		status = cli_failf(cli, err.code,
		    "%s was restored as it was backed up, but its ledger is not intact: %s",
		    argv[1], err.text);
	else
		status = print_restored(cli, argv[1], &list, with_keys, &report);
	backup_list_fini(&list);
	return status;
}

const struct cli_command cli_backup_commands[] = {
    {"backup", "FILE.tar | DIR [--keys] [--rate MIB]", "copy the node's home while it runs",
	"A consistent copy: everything that was acknowledged before it began is in it, and a node\n"
	"can be started from it. Into DIR each backup gets a folder of its own with its time for "
	"a\n"
	"name; object segments that did not change since the one before are hard links to it, so\n"
	"that they take no room. A backup has its name only when it is whole and on the disk.\n"
	"  --keys      with keys/: whoever reads it can undo pseudonyms. Without them, keep a "
	"copy\n"
	"              of keys/ elsewhere; nothing can replace them\n"
	"  --rate MIB  at most so many MiB per second; in any case the node comes first, and 256\n"
	"              MiB are left free on the backup's disk\n\n"
	"Left out: logs, intake/ and what only a running node needs.\n",
	"cairn --home /var/lib/cairn backup /backup/cairn --rate 50", run_backup},
    {"restore", "FILE.tar | DIR HOME [--keys DIR]", "make a home from a backup",
	"Of a DIR with several backups the newest whole one is taken. Every file is compared with\n"
	"its digest, and the ledger is verified; HOME must be new or empty, and is made as a "
	"whole\n"
	"or not at all.\n"
	"  --keys DIR  take the keys from there (a copy of keys/)\n",
	"cairn restore /backup/cairn /var/lib/cairn --keys /media/safe/keys", run_restore},
    {0}};
