/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

static const char *const access_words[] = {"read", "run", "write", "lend", "keep"};

void
sandbox_policy_fini(struct sandbox_policy *policy)
{
	for (size_t i = 0; i < policy->path_count; i++)
		free(policy->paths[i].path);
	policy->path_count = 0;
}

int
sandbox_policy_add(struct sandbox_policy *policy, const char *path, enum sandbox_access access,
    struct cairn_error *err)
{
	struct sandbox_path *entry = &policy->paths[policy->path_count];

	if (path[0] != '/' || strchr(path, '\n') != NULL || strlen(path) >= SANDBOX_PATH_MAX)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a sandbox needs absolute paths, not '%.200s'", path);
	if (policy->path_count == SANDBOX_PATHS_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "more than %d paths in a sandbox", SANDBOX_PATHS_MAX);
	entry->path = strdup(path);
	entry->access = access;
	if (entry->path == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	policy->path_count++;
	return 0;
}

void
sandbox_policy_drop(struct sandbox_policy *policy, const char *path, enum sandbox_access access)
{
	for (size_t i = policy->path_count; i > 0; i--) {
		struct sandbox_path *entry = &policy->paths[i - 1];

		if (entry->access != access || strcmp(entry->path, path) != 0)
			continue;
		free(entry->path);
		*entry = policy->paths[--policy->path_count];
		return;
	}
}

/* Nothing in here is secret or of the node.  The sanitizers need /proc/self, OpenSSL its settings,
 * name resolution the network's. */
int
sandbox_policy_add_system(struct sandbox_policy *policy, struct cairn_error *err)
{
	static const char *const run[] = {
	    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"};
	static const char *const read[] = {"/etc/ld.so.cache", "/etc/ld.so.preload",
	    "/etc/localtime", "/etc/ssl", "/usr/share/zoneinfo", "/usr/share/locale",
	    "/usr/share/ca-certificates", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
	    "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/random", "/sys/devices/system/cpu",
	    "/dev/urandom", "/dev/random"};
	static const char *const net[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf",
	    "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols"};
	int code = sandbox_policy_add(policy, "/dev/null", SANDBOX_WRITE, err);

	for (size_t i = 0; code == 0 && i < sizeof run / sizeof run[0]; i++)
		code = sandbox_policy_add(policy, run[i], SANDBOX_RUN, err);
	for (size_t i = 0; code == 0 && i < sizeof read / sizeof read[0]; i++)
		code = sandbox_policy_add(policy, read[i], SANDBOX_READ, err);
	for (size_t i = 0; code == 0 && policy->connect && i < sizeof net / sizeof net[0]; i++)
		code = sandbox_policy_add(policy, net[i], SANDBOX_READ, err);
	return code;
}

/* ---- text ------------------------------------------------------------------------------- */

struct flag {
	const char *word;
	size_t offset;
};

#define FLAG(name)                                           \
	{                                                    \
#name, offsetof(struct sandbox_policy, name) \
	}

static const struct flag flags[] = {
    FLAG(require), FLAG(listen), FLAG(connect), FLAG(exec), FLAG(interpreter)};
static const struct flag numbers[] = {
    FLAG(uid), FLAG(gid), FLAG(memory_mb), FLAG(file_mb), FLAG(files), FLAG(processes)};

#define FLAG_COUNT (sizeof flags / sizeof flags[0])
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

static bool *
flag_at(const struct sandbox_policy *policy, size_t index)
{
	return (bool *)((uintptr_t)policy + flags[index].offset);
}

static unsigned *
number_at(const struct sandbox_policy *policy, size_t index)
{
	return (unsigned *)((uintptr_t)policy + numbers[index].offset);
}

int
sandbox_policy_text(const struct sandbox_policy *policy, char **ret_text, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = SANDBOX_TEXT_MAX};
	int code = 0;
	char *text;

	for (size_t i = 0; code == 0 && i < FLAG_COUNT; i++) {
		if (*flag_at(policy, i))
			code = buf_append_format(&buf, "%s\n", flags[i].word);
	}
	for (size_t i = 0; code == 0 && i < NUMBER_COUNT; i++)
		code = buf_append_format(&buf, "%s %u\n", numbers[i].word, *number_at(policy, i));
	for (size_t i = 0; code == 0 && i < policy->path_count; i++)
		code = buf_append_format(
		    &buf, "%s %s\n", access_words[policy->paths[i].access], policy->paths[i].path);
	if (code != 0 || buf_text(&buf) == NULL)
		return cairn_error_set(err, CAIRN_ELIMIT, "the sandbox's policy is too long");
	text = strdup(buf_text(&buf));
	if (text == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*ret_text = text;
	return 0;
}

/* ---- parsing ---------------------------------------------------------------------------- */

static int
parse_word(struct sandbox_policy *policy, const char *line)
{
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (strcmp(flags[i].word, line) == 0) {
			*flag_at(policy, i) = true;
			return 0;
		}
	}
	return CAIRN_EINVAL;
}

static int
parse_pair(struct sandbox_policy *policy, const char *key, const char *value)
{
	int64_t number;

	for (size_t i = 0; i < NUMBER_COUNT; i++) {
		if (strcmp(numbers[i].word, key) != 0)
			continue;
		if (text_to_integer(value, 0, UINT32_MAX, &number) != 0)
			return CAIRN_EINVAL;
		*number_at(policy, i) = (unsigned)number;
		return 0;
	}
	for (size_t i = 0; i < sizeof access_words / sizeof access_words[0]; i++) {
		if (strcmp(access_words[i], key) == 0)
			return sandbox_policy_add(policy, value, (enum sandbox_access)i, NULL);
	}
	return CAIRN_EINVAL;
}

static int
parse_line(struct sandbox_policy *policy, char *line)
{
	char *space = strchr(line, ' ');

	if (space == NULL)
		return parse_word(policy, line);
	*space = 0;
	return parse_pair(policy, line, space + 1);
}

int
sandbox_policy_parse(const char *text, struct sandbox_policy *ret, struct cairn_error *err)
{
	struct sandbox_policy policy = {0};
	char *copy = strnlen(text, SANDBOX_TEXT_MAX) < SANDBOX_TEXT_MAX ? strdup(text) : NULL;
	char *rest = copy, *line;
	int code = copy == NULL ? CAIRN_EINVAL : 0;

	while (code == 0 && (line = strsep(&rest, "\n")) != NULL) {
		if (line[0] != 0)
			code = parse_line(&policy, line);
	}
	free(copy);
	if (code != 0) {
		sandbox_policy_fini(&policy);
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the sandbox's policy is none that this host understands; kernel and host must "
		    "be of one release");
	}
	*ret = policy;
	return 0;
}

/* ---- asking ----------------------------------------------------------------------------- */

static bool
is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 &&
	    (path[length] == 0 || path[length] == '/' || length == 1);
}

bool
sandbox_policy_lends(const struct sandbox_policy *policy, const char *path)
{
	bool lends = false;

	for (size_t i = 0; i < policy->path_count; i++) {
		const struct sandbox_path *entry = &policy->paths[i];

		if (!is_within(path, entry->path))
			continue;
		if (entry->access == SANDBOX_KEEP)
			return false;
		lends = lends || entry->access == SANDBOX_LEND;
	}
	return lends;
}

bool
sandbox_policy_allows(const struct sandbox_policy *policy, const char *path, bool writing)
{
	for (size_t i = 0; i < policy->path_count; i++) {
		const struct sandbox_path *entry = &policy->paths[i];

		if (entry->access <= SANDBOX_WRITE && is_within(path, entry->path) &&
		    (!writing || entry->access == SANDBOX_WRITE))
			return true;
	}
	return false;
}
