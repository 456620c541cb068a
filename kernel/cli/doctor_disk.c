/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor sees of a home on the disk: room, who may read and write, what the logs say. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/client.h"
#include "cli/doctor.h"
#include "cli/policy.h"
#include "config/config.h"
#include "sandbox/sandbox.h"

#define MIB ((uint64_t)1 << 20)
#define LOG_TAIL ((off_t)1 << 20)
#define HOUR_MS 3600000u

/* ---- room ------------------------------------------------------------------------------- */

static void
look_at_room(struct doctor *doctor, const char *name, dev_t seen[3], size_t index)
{
	char path[PATH_MAX], advice[128];
	struct statvfs fs;
	struct stat st;
	uint64_t mb, percent;

	if (file_join(path, sizeof path, doctor->cli->home, name) != 0 || stat(path, &st) != 0 ||
	    statvfs(path, &fs) != 0)
		return;
	seen[index] = st.st_dev;
	for (size_t i = 0; i < index; i++) {
		if (seen[i] == st.st_dev)
			return; /* told already */
	}
	mb = fs.f_bavail * fs.f_frsize / MIB;
	percent = fs.f_blocks == 0 ? 0 : fs.f_bavail * 100 / fs.f_blocks;
	snprintf(advice, sizeof advice, "make room (du -xh %.60s | sort -h | tail), or enlarge it",
	    path);
	if (mb < 256)
		doctor_say(doctor, "kernel", DOCTOR_FAULT,
		    "nothing can be recorded, so nothing guarded is answered and no image stored",
		    advice, "only %" PRIu64 " MiB (%" PRIu64 "%%) are free for %s", mb, percent,
		    path);
	else if (mb < 2048 || percent < 3)
		doctor_say(doctor, "kernel", DOCTOR_WARNING,
		    "when it is full the node stands still", advice,
		    "only %" PRIu64 " MiB (%" PRIu64 "%%) are free for %s", mb, percent, path);
	else
		doctor_say(doctor, "kernel", DOCTOR_FINE, "", "",
		    "%" PRIu64 " MiB (%" PRIu64 "%%) are free for %s", mb, percent, path);
}

/* ---- who may ---------------------------------------------------------------------------- */

static void
say_mode(struct doctor *doctor, const char *path, mode_t found, mode_t forbidden)
{
	char advice[PATH_MAX + 32];

	snprintf(advice, sizeof advice, "chmod %s %s", forbidden == 077 ? "go-rwx" : "go-w", path);
	doctor_say(doctor, "kernel", DOCTOR_FAULT,
	    forbidden == 077 ? "who reads the keys can undo pseudonyms and sign in this node's name"
			     : "another user could change what this node does, or its record",
	    advice, "%s can be %s by other users (mode %04o)", path,
	    forbidden == 077 ? "read" : "written", found & 07777u);
}

static void
look_at_mode(struct doctor *doctor, const char *name, mode_t forbidden, uid_t owner, bool any_owner)
{
	char path[PATH_MAX], advice[PATH_MAX + 64];
	struct stat st;

	if (file_join(path, sizeof path, doctor->cli->home, name) != 0 || lstat(path, &st) != 0 ||
	    S_ISLNK(st.st_mode))
		return;
	if ((st.st_mode & forbidden) != 0)
		say_mode(doctor, path, st.st_mode, forbidden);
	if (st.st_uid == owner || any_owner)
		return;
	snprintf(advice, sizeof advice, "chown %u %s", (unsigned)owner, path);
	doctor_say(doctor, "kernel", DOCTOR_FAULT,
	    "the node may not be able to use it, or somebody else may", advice,
	    "%s belongs to user %u, the home to user %u", path, (unsigned)st.st_uid,
	    (unsigned)owner);
}

/* Two of them cannot be replaced by anything. */
static void
look_for_keys(struct doctor *doctor)
{
	static const char *const names[] = {"keys/node.key", "keys/node.pub", "keys/pseudonym.key"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (file_join(path, sizeof path, doctor->cli->home, names[i]) == 0 &&
		    !file_exists(path))
			doctor_say(doctor, "kernel", DOCTOR_FAULT,
			    i == 2 ? "the node cannot start without it; with a new one every "
				     "pseudonym would change"
				   : "the node cannot start without it; a new one is not the same",
			    "restore it from a backup; never make a new one", "%s is missing",
			    path);
	}
}

static void
look_at_keys(struct doctor *doctor, uid_t owner)
{
	char path[PATH_MAX], name[300];
	const struct dirent *entry;
	DIR *dir;

	if (file_join(path, sizeof path, doctor->cli->home, "keys") != 0)
		return;
	dir = opendir(path);
	if (dir == NULL) {
		doctor_say(doctor, "kernel", DOCTOR_FAULT, "the node cannot start without its keys",
		    "bring them back from where they are kept", "cannot read %s: %s", path,
		    strerror(errno));
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);
		bool secret = length > 4 && strcmp(entry->d_name + length - 4, ".key") == 0;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "keys/%s", entry->d_name);
		look_at_mode(doctor, name, secret ? 077 : 022, owner, false);
	}
	closedir(dir);
	look_for_keys(doctor);
}

/* Where the node runs as root its plugins have users of their own, who own their folders. */
static void
look_at_modes(struct doctor *doctor)
{
	static const char *const names[] = {"", "node.yaml", "plugins", "plugins/trust",
	    "plugins/available", "plugins/enabled", "policies", "state", "state/kernel",
	    "state/kernel/ledger", "state/kernel/jobs", "state/kernel/links"};
	static const char *const shared[] = {"objects", "intake"};
	size_t before = doctor->counts[DOCTOR_FAULT];
	struct stat st;

	if (stat(doctor->cli->home, &st) != 0)
		return;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		look_at_mode(doctor, names[i], 022, st.st_uid, false);
	for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
		look_at_mode(doctor, shared[i], 002, st.st_uid, st.st_uid == 0);
	look_at_mode(doctor, "keys", 077, st.st_uid, false);
	look_at_keys(doctor, st.st_uid);
	if (doctor->counts[DOCTOR_FAULT] == before)
		doctor_say(doctor, "kernel", DOCTOR_FINE, "", "",
		    "keys are readable and state is writable by the node's user only");
}

/* ---- logs ------------------------------------------------------------------------------- */

/* "2026-11-24T15:04:05.123Z error topic: text" since that moment; how many. */
static unsigned
count_errors(const struct buf *log, const char *since)
{
	const char *at = (const char *)log->data;
	const char *end = log->length == 0 ? at : at + log->length;
	unsigned count = 0;

	while (at != NULL && at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		size_t length = line_end == NULL ? (size_t)(end - at) : (size_t)(line_end - at);

		if (length > 31 && memcmp(at + 24, " error ", 7) == 0 &&
		    strncmp(at, since, 24) >= 0)
			count++;
		at = line_end == NULL ? NULL : line_end + 1;
	}
	return count;
}

static void
look_at_log(struct doctor *doctor, const char *path, const char *name)
{
	char since[CLOCK_TEXT_MAX], about[40], advice[80];
	BUF_AUTO tail = {.max = (size_t)LOG_TAIL};
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	off_t from;
	size_t length;
	unsigned errors;

	if (fd < 0 || fstat(fd, &st) != 0)
		return;
	from = st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0;
	length = (size_t)(st.st_size - from);
	if (lseek(fd, from, SEEK_SET) < 0 || buf_reserve(&tail, length) != 0 ||
	    file_read_all(fd, tail.data, length) != 0)
		return;
	tail.length = length;
	clock_text(clock_wall_ms() - HOUR_MS, since);
	errors = count_errors(&tail, since);
	if (errors == 0)
		return;
	snprintf(about, sizeof about, "%.*s", (int)strcspn(name, "."), name);
	snprintf(advice, sizeof advice, "cairn plugin logs %s", about);
	doctor_say(doctor, about, DOCTOR_WARNING, "", advice,
	    "its log has %u %s within the last hour", errors, errors == 1 ? "error" : "errors");
}

static void
look_at_logs(struct doctor *doctor)
{
	char dir_path[PATH_MAX], path[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;

	if (file_join(dir_path, sizeof dir_path, doctor->cli->home, "log") != 0 ||
	    (dir = opendir(dir_path)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);

		if (length > 4 && strcmp(entry->d_name + length - 4, ".log") == 0 &&
		    file_join(path, sizeof path, dir_path, entry->d_name) == 0)
			look_at_log(doctor, path, entry->d_name);
	}
	closedir(dir);
}

/* ---- configuration ---------------------------------------------------------------------- */

static void
say_policy(void *arg, enum policy_level level, const char *text)
{
	if (level == POLICY_ERROR)
		doctor_say(arg, "kernel", DOCTOR_FAULT,
		    "the node would not start with these policies, nor reload them",
		    "correct it, then: cairn check", "policies: %s", text);
}

static void
look_at_plugins(struct doctor *doctor, const struct node_config *node)
{
	struct plugin_config *configs = NULL;
	struct cairn_error err = {0};
	size_t count = 0;

	if (plugin_configs_load(node, &configs, &count, &err) != 0)
		doctor_say(doctor, "kernel", DOCTOR_FAULT, "the node would not start",
		    "cairn check", "%s", err.text);
	for (size_t i = 0; i < count; i++) {
		const char *name = configs[i].manifest->name;

		if (configs[i].object->verdict == PROVENANCE_REFUSED)
			doctor_say(doctor, name, DOCTOR_FAULT, "it is not started", "", "%s",
			    configs[i].object->text);
	}
	plugin_configs_free(configs, count);
}

static void
look_at_configuration(struct doctor *doctor)
{
	struct node_config *node = NULL;
	struct cairn_error err = {0};

	if (node_config_load(doctor->cli->home, &node, &err) != 0) {
		doctor_say(doctor, "kernel", DOCTOR_FAULT, "the node would not start",
		    "cairn check", "%s", err.text);
		return;
	}
	policy_check(doctor->cli, say_policy, doctor);
	look_at_plugins(doctor, node);
	doctor_say(doctor, "kernel", DOCTOR_FINE, "", "",
	    "role %s; no link to other nodes is set up, so nothing is sent to any", node->role);
	node_config_free(node);
}

static void
look_at_sandbox(struct doctor *doctor)
{
	const char *missing = sandbox_missing();

	if (missing != NULL)
		doctor_say(doctor, "kernel", DOCTOR_WARNING, "a malicious plugin could do that",
		    "run a newer Linux; `sandbox_require: true` in node.yaml refuses to go without",
		    "the sandbox cannot close: %s", missing);
	else
		doctor_say(doctor, "kernel", DOCTOR_FINE, "", "",
		    "this Linux has all that the plugins' sandbox uses");
}

void
doctor_disk(struct doctor *doctor)
{
	static const char *const rooms[3] = {"", "state", "objects"};
	dev_t seen[3] = {0};

	for (size_t i = 0; i < 3; i++)
		look_at_room(doctor, rooms[i], seen, i);
	look_at_modes(doctor);
	look_at_configuration(doctor);
	look_at_sandbox(doctor);
	look_at_logs(doctor);
}
