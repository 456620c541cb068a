/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard keeps the bytes of every file it loaded: when a limit makes it load them again, it is
 * the policy that the ledger's digest names, whatever has been edited on the disk since.
 */
#include "guard/guard.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/log.h"
#include "guard/policy.h"
#include "guard/prelude.h"
#include "guard/settings.h"
#include "guard/verdict.h"

#define FILES_MAX 64
#define FILE_BYTES_MAX (256u << 10)
#define FILE_NAME_MAX 48

struct guard {
	struct guard_options options;
	struct policy_file files[FILES_MAX];
	size_t file_count;
	struct buf settings_bytes;
	struct settings settings;
	struct policy_source source;
	struct policy *policy; /* NULL when it could not be made again */
	uint8_t digest[32];
};

/* ---- files ------------------------------------------------------------------------------ */

static int
read_policy_file(
    const char *dir, const char *name, struct policy_file *file, struct cairn_error *err)
{
	struct buf buf = {.max = FILE_BYTES_MAX};
	char path[4096];
	int code = file_join(path, sizeof path, dir, name);

	if (code != 0)
		return cairn_error_set(err, code, "%s: the path is too long", dir);
	code = file_read(path, &buf, err);
	file->name = code == 0 ? strdup(name) : NULL;
	if (file->name == NULL) {
		buf_fini(&buf);
		return code != 0 ? code
				 : cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", name);
	}
	file->bytes = buf.data;
	file->length = buf.length;
	return 0;
}

static int
check_name(const char *name, struct cairn_error *err)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(name);

	if (length > FILE_NAME_MAX || strspn(name, letters) != length)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "policies/%s: the name must have at most 48 letters, digits, '.', '_' and '-'",
		    name);
	return 0;
}

static int
compare_files(const void *a, const void *b)
{
	const struct policy_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool
is_policy(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".lua") == 0;
}

static int
take_entry(struct guard *guard, const char *dir, const char *name, struct cairn_error *err)
{
	int code;

	if (!is_policy(name))
		return 0;
	if (guard->file_count == FILES_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s: more than 64 policy files", dir);
	code = check_name(name, err);
	if (code == 0)
		code = read_policy_file(dir, name, &guard->files[guard->file_count], err);
	if (code == 0)
		guard->file_count++;
	return code;
}

static int
read_policies(struct guard *guard, const char *dir, struct cairn_error *err)
{
	DIR *entries = opendir(dir);
	const struct dirent *entry;
	int code = 0;

	if (entries == NULL)
		return cairn_error_set(err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "%s: the policies cannot be read: %s", dir, strerror(errno));
	while (code == 0 && (entry = readdir(entries)) != NULL)
		code = take_entry(guard, dir, entry->d_name, err);
	closedir(entries);
	qsort(guard->files, guard->file_count, sizeof guard->files[0], compare_files);
	return code;
}

static int
read_settings(struct guard *guard, const char *dir, struct cairn_error *err)
{
	char path[4096];
	int code = file_join(path, sizeof path, dir, "settings.yaml");

	if (code != 0)
		return cairn_error_set(err, code, "%s: the path is too long", dir);
	guard->settings_bytes.max = TREE_FILE_MAX;
	if (!file_exists(path))
		return 0; /* a rule that asks for a setting will say so */
	code = file_read(path, &guard->settings_bytes, err);
	if (code != 0)
		return code;
	return settings_parse(
	    guard->settings_bytes.length == 0 ? (const uint8_t *)"" : guard->settings_bytes.data,
	    guard->settings_bytes.length, &guard->settings, err);
}

/* ---- digest ----------------------------------------------------------------------------- */

/* Each part preceded by its length, so that no two sets of files have one digest. */
static bool
digest_part(EVP_MD_CTX *md, const void *bytes, size_t length)
{
	uint8_t prefix[8];

	for (unsigned i = 0; i < 8; i++)
		prefix[i] = (uint8_t)((uint64_t)length >> (8 * (7 - i)));
	return EVP_DigestUpdate(md, prefix, sizeof prefix) == 1 &&
	    (length == 0 || EVP_DigestUpdate(md, bytes, length) == 1);
}

static bool
digest_file(EVP_MD_CTX *md, const char *name, const void *bytes, size_t length)
{
	return digest_part(md, name, strlen(name)) && digest_part(md, bytes, length);
}

static int
make_digest(struct guard *guard, struct cairn_error *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    digest_file(md, "prelude.lua", prelude_text, prelude_length) &&
	    digest_file(
		md, "settings.yaml", guard->settings_bytes.data, guard->settings_bytes.length);

	for (size_t i = 0; i < guard->file_count && good; i++)
		good = digest_file(
		    md, guard->files[i].name, guard->files[i].bytes, guard->files[i].length);
	good = good && EVP_DigestFinal_ex(md, guard->digest, NULL) == 1;
	EVP_MD_CTX_free(md);
	return good ? 0 : cairn_error_set(err, CAIRN_EINTERNAL, "policies: SHA-256 failed");
}

/* ---- the guard -------------------------------------------------------------------------- */

static int
load(struct guard *guard, const char *dir, struct cairn_error *err)
{
	int code = read_policies(guard, dir, err);

	if (code == 0)
		code = read_settings(guard, dir, err);
	if (code == 0)
		code = make_digest(guard, err);
	if (code != 0)
		return code;
	guard->source = (struct policy_source){.files = guard->files,
	    .file_count = guard->file_count,
	    .settings = &guard->settings,
	    .options = &guard->options};
	return policy_new(&guard->policy, &guard->source, err);
}

int
guard_open(struct guard **ret, const struct guard_options *options, struct cairn_error *err)
{
	struct guard *guard = calloc(1, sizeof *guard);
	int code;

	if (guard == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "guard: out of memory");
	guard->options = *options;
	guard->options.policies_dir = NULL; /* borrowed, and not needed again */
	if (guard->options.memory_max == 0)
		guard->options.memory_max = 8u << 20;
	if (guard->options.instructions_max == 0)
		guard->options.instructions_max = 1000000;
	if (guard->options.match_limit == 0)
		guard->options.match_limit = 100000;
	code = load(guard, options->policies_dir, err);
	if (code != 0)
		guard_free(guard);
	else
		*ret = guard;
	return code;
}

void
guard_free(struct guard *guard)
{
	if (guard == NULL)
		return;
	policy_free(guard->policy);
	settings_fini(&guard->settings);
	buf_fini(&guard->settings_bytes);
	for (size_t i = 0; i < guard->file_count; i++) {
		free(guard->files[i].name);
		free(guard->files[i].bytes);
	}
	free(guard);
}

static void
remake(struct guard *guard)
{
	struct cairn_error err = {0};

	policy_free(guard->policy);
	guard->policy = NULL;
	if (policy_new(&guard->policy, &guard->source, &err) != 0)
		log_error("guard", "the policies could not be loaded again, denying: %s", err.text);
}

static const char *
or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static void
deny_unpermitted(const struct guard_question *q, struct guard_decision *ret)
{
	const char *role = or_empty(q->role);

	verdict_deny(ret, "kernel:default", "no rule permits %s to %s (%s) for purpose '%s'",
	    or_empty(q->subject), or_empty(q->principal),
	    *role == 0 ? "not known at this site" : role, or_empty(q->purpose));
}

void
guard_decide(struct guard *guard, const struct guard_question *question, struct guard_decision *ret)
{
	bool good;

	*ret = (struct guard_decision){0};
	if (guard->policy == NULL)
		remake(guard);
	if (guard->policy == NULL) {
		verdict_deny(ret, "kernel:guard",
		    "the policies could not be loaded again after a "
		    "limit was reached; see the node's log");
		return;
	}
	good = policy_decide(guard->policy, question, ret);
	if (ret->rule[0] == 0)
		deny_unpermitted(question, ret);
	if (!good)
		remake(guard);
}

const char *
guard_role(const struct guard *guard, const char *principal)
{
	return settings_role(&guard->settings, principal);
}

void
guard_digest(const struct guard *guard, uint8_t ret[32])
{
	memcpy(ret, guard->digest, sizeof guard->digest);
}

size_t
guard_rule_count(const struct guard *guard)
{
	return guard->policy == NULL ? 0 : policy_rule_count(guard->policy);
}
