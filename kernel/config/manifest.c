/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a plugin's manifest, checked word by word: it decides what the plugin may do. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairn/plugin.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "config/schema.h"
#include "config/script.h"
#include "config/section.h"

#define MANIFEST_TEXT_MAX 65536
#define SERVES_MAX 256
#define CAPABILITIES_MAX 128
#define SERVE_WORDS_MAX 32
#define SUBJECT_MAX 64
#define CAPABILITY_MAX 255
#define SUMMARY_MAX 300

struct reader {
	const struct tree *tree;
	struct manifest *manifest;
	struct cairn_error *err;
};

#define ALPHA "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool
made_of(const char *text, const char *first, const char *rest, size_t max)
{
	size_t length = strlen(text);

	return length > 0 && length <= max && strchr(first, text[0]) != NULL &&
	    strspn(text, rest) == length;
}

/* Words with dots between them: "cohort.count". */
static bool
subject_is_good(const char *subject)
{
	size_t length = strlen(subject);

	return made_of(subject, ALPHA, ALPHA DIGIT "_-.", SUBJECT_MAX) &&
	    strstr(subject, "..") == NULL && subject[length - 1] != '.';
}

/* A subject, or one that ends in ".*". */
static bool
pattern_is_good(const char *pattern)
{
	char subject[SUBJECT_MAX + 3];
	size_t length;

	if (!text_copy(subject, sizeof subject, pattern))
		return false;
	length = strlen(subject);
	if (length > 2 && strcmp(subject + length - 2, ".*") == 0)
		subject[length - 2] = 0;
	return subject_is_good(subject);
}

/* ---- plain fields ----------------------------------------------------------------------- */

static int
no_memory(const struct reader *r)
{
	return cairn_error_set(r->err, CAIRN_ENOMEM, "%s: out of memory", r->tree->origin);
}

/* The text at `key`; `fallback` when absent, an error when that is NULL. */
static int
read_text(const struct reader *r, const char *key, const char *fallback, size_t max, char **ret)
{
	const struct tree_node *node = tree_find(r->tree->root, key);
	const char *text = fallback;

	if (node == NULL && fallback == NULL)
		return tree_error(r->tree, r->tree->root, r->err, "missing key '%s'", key);
	if (node != NULL) {
		if (node->kind != TREE_SCALAR || node->length == 0 || node->length > max ||
		    !schema_text_is_plain(node->text))
			return tree_error(r->tree, node, r->err,
			    "'%s' must be one line of 1 to %zu characters", key, max);
		text = node->text;
	}
	*ret = strdup(text);
	return *ret == NULL ? no_memory(r) : 0;
}

static int
read_name(const struct reader *r)
{
	int code = read_text(r, "name", NULL, 32, &r->manifest->name);

	if (code == 0 && !made_of(r->manifest->name, ALPHA, ALPHA DIGIT "-", 32))
		return tree_error(r->tree, tree_find(r->tree->root, "name"), r->err,
		    "name '%s' must be made of a-z, 0-9 and '-' and begin with a letter",
		    r->manifest->name);
	return code;
}

static int
read_version(const struct reader *r)
{
	int code = read_text(r, "version", NULL, 64, &r->manifest->version);

	if (code == 0 && !made_of(r->manifest->version, DIGIT, ALPHA UPPER DIGIT ".-+~", 64))
		return tree_error(r->tree, tree_find(r->tree->root, "version"), r->err,
		    "version '%s' must begin with a digit, like 0.1.0", r->manifest->version);
	return code;
}

static int
read_abi(const struct reader *r)
{
	const struct tree_node *node = tree_find(r->tree->root, "abi");
	int64_t abi;

	if (node == NULL)
		return tree_error(r->tree, r->tree->root, r->err, "missing key 'abi'");
	if (tree_integer(node, &abi) != 0 || abi < 1 || abi > 1000)
		return tree_error(r->tree, node, r->err, "'abi' must be a whole number from 1");
	if (abi > CAIRN_ABI) {
		tree_error(r->tree, node, r->err,
		    "built for plugin ABI %d, and this kernel speaks up to %d; update Cairn or "
		    "rebuild the plugin",
		    (int)abi, CAIRN_ABI);
		if (r->err != NULL)
			r->err->code = CAIRN_EUNSUPPORTED;
		return CAIRN_EUNSUPPORTED;
	}
	r->manifest->abi = (unsigned)abi;
	return 0;
}

static bool
is_one_of(const char *word, const char *const *words)
{
	while (*words != NULL && strcmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

static int
read_kind(const struct reader *r)
{
	static const char *const kinds[] = {"connector", "engine", "sink", "policy", NULL};
	int code = read_text(r, "kind", "engine", 32, &r->manifest->kind);
	char advice[SCHEMA_ADVICE_MAX];

	if (code != 0 || is_one_of(r->manifest->kind, kinds))
		return code;
	return tree_error(r->tree, tree_find(r->tree->root, "kind"), r->err,
	    "'kind' takes connector, engine, sink or policy, not '%s'%s", r->manifest->kind,
	    schema_advice(r->manifest->kind, schema_next_word, kinds, advice));
}

/* ---- subjects --------------------------------------------------------------------------- */

static int
read_type(const struct reader *r, const struct tree_node *map, const char *key, char **ret)
{
	const struct tree_node *node = tree_find(map, key);

	if (node == NULL)
		return 0;
	if (node->kind != TREE_SCALAR ||
	    !made_of(node->text, ALPHA UPPER, ALPHA UPPER DIGIT "_.", 128))
		return tree_error(r->tree, node, r->err,
		    "'%s' must be a message name such as cairn.CountRequest", key);
	*ret = strdup(node->text);
	return *ret == NULL ? no_memory(r) : 0;
}

/* A list of words; `*ret` ends in NULL, also of an empty list. */
static int
read_words(const struct reader *r, const struct tree_node *map, const char *key, char ***ret)
{
	const struct tree_node *node = tree_find(map, key);
	size_t count = 0;

	if (node == NULL)
		return 0;
	if (node->kind != TREE_LIST || node->count > SERVE_WORDS_MAX)
		return tree_error(r->tree, node, r->err, "'%s' must be a list of at most %d words",
		    key, SERVE_WORDS_MAX);
	*ret = calloc(node->count + 1, sizeof **ret);
	if (*ret == NULL)
		return no_memory(r);
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		if (at->kind != TREE_SCALAR || !made_of(at->text, ALPHA, ALPHA DIGIT "_", 31))
			return tree_error(r->tree, at, r->err,
			    "each entry of '%s' must be a word of at most 31 letters a-z, digits "
			    "and '_'",
			    key);
		(*ret)[count] = strdup(at->text);
		if ((*ret)[count++] == NULL)
			return no_memory(r);
	}
	return 0;
}

static int
read_serve_options(
    const struct reader *r, const struct tree_node *node, struct manifest_serve *serve)
{
	const struct tree_node *guarded = tree_find(node, "guarded");
	int code;

	serve->guarded = true;
	if (guarded != NULL && tree_bool(guarded, &serve->guarded) != 0)
		return tree_error(r->tree, guarded, r->err, "'guarded' must be true or false");
	code = read_type(r, node, "request", &serve->request);
	if (code == 0)
		code = read_type(r, node, "answer", &serve->answer);
	if (code == 0)
		code = read_words(r, node, "record", &serve->record);
	return code == 0 ? read_words(r, node, "fulfils", &serve->fulfils) : code;
}

static int
read_serve(const struct reader *r, const struct tree_node *node)
{
	static const char *const known[] = {
	    "subject", "guarded", "request", "answer", "record", "fulfils", NULL};
	struct manifest_serve *serve = &r->manifest->serves[r->manifest->serve_count];
	const struct tree_node *subject;
	int code;

	if (node->kind != TREE_MAP)
		return tree_error(r->tree, node, r->err,
		    "each entry of 'serves' must be a map such as {subject: a.b}");
	code = schema_known_keys(r->tree, node, known, "serves", r->err);
	if (code != 0)
		return code;
	subject = tree_find(node, "subject");
	if (subject == NULL || subject->kind != TREE_SCALAR || !subject_is_good(subject->text))
		return tree_error(r->tree, node, r->err,
		    "'subject' must be words of a-z, 0-9, '_' and '-' with dots between them");
	for (size_t i = 0; i < r->manifest->serve_count; i++) {
		if (strcmp(r->manifest->serves[i].subject, subject->text) == 0)
			return tree_error(
			    r->tree, subject, r->err, "serves '%s' twice", subject->text);
	}
	serve->subject = strdup(subject->text);
	if (serve->subject == NULL)
		return no_memory(r);
	r->manifest->serve_count++;
	return read_serve_options(r, node, serve);
}

static int
read_serves(const struct reader *r)
{
	const struct tree_node *node = tree_find(r->tree->root, "serves");
	int code = 0;

	if (node == NULL)
		return 0;
	if (node->kind != TREE_LIST || node->count > SERVES_MAX)
		return tree_error(r->tree, node, r->err, "'serves' must be a list of at most 256");
	r->manifest->serves = calloc(node->count + 1, sizeof *r->manifest->serves);
	if (r->manifest->serves == NULL)
		return no_memory(r);
	for (const struct tree_node *at = node->first; at != NULL && code == 0; at = at->next)
		code = read_serve(r, at);
	return code;
}

/* ---- capabilities ----------------------------------------------------------------------- */

struct capability_kind {
	const char *name;
	const char *values; /* the allowed ones, or NULL */
	bool (*good)(const char *value);
	const char *form;
};

static bool
word_is_good(const char *word)
{
	return made_of(word, ALPHA, ALPHA DIGIT "_-", SUBJECT_MAX);
}

static bool
path_is_good(const char *path)
{
	return path[0] == '/' && strstr(path, "/../") == NULL && schema_text_is_plain(path);
}

static bool
is_empty(const char *value)
{
	return *value == 0;
}

static bool
is_among(const char *value, const char *values)
{
	size_t length = strlen(value);

	for (const char *at = values; at != NULL && *at != 0; at += strcspn(at, "|")) {
		at += *at == '|';
		if (length > 0 && strcspn(at, "|") == length && strncmp(at, value, length) == 0)
			return true;
	}
	return false;
}

static bool
capability_fits(const struct capability_kind *kind, const char *value)
{
	return kind->good == NULL ? is_among(value, kind->values) : kind->good(value);
}

static const struct capability_kind capability_kinds[] = {
    {"listen", "tcp", NULL, "listen:tcp"},
    {"connect", "tcp", NULL, "connect:tcp"},
    {"objects", "read|write", NULL, "objects:read or objects:write"},
    {"intake", "write", NULL, "intake:write"},
    {"secret", NULL, word_is_good, "secret:NAME"},
    {"job", NULL, word_is_good, "job:QUEUE"},
    {"put", NULL, word_is_good, "put:QUEUE"},
    {"call", NULL, pattern_is_good, "call:SUBJECT or call:PREFIX.*"},
    {"publish", NULL, pattern_is_good, "publish:SUBJECT or publish:PREFIX.*"},
    {"subscribe", NULL, pattern_is_good, "subscribe:SUBJECT or subscribe:PREFIX.*"},
    {"exec", NULL, path_is_good, "exec:/ABSOLUTE/PATH"},
    {"record", NULL, is_empty, "record, without a value"},
};

static const char *
next_capability(const void *arg, size_t index)
{
	(void)arg;
	return index < sizeof capability_kinds / sizeof capability_kinds[0]
	    ? capability_kinds[index].name
	    : NULL;
}

static int
check_capability(const struct reader *r, const struct tree_node *node)
{
	char kind[CAPABILITY_MAX + 1];
	const char *value = strchr(node->text, ':');
	char advice[SCHEMA_ADVICE_MAX];

	snprintf(kind, sizeof kind, "%.*s", (int)strcspn(node->text, ":"), node->text);
	value = value == NULL ? "" : value + 1;
	for (size_t i = 0; next_capability(NULL, i) != NULL; i++) {
		if (strcmp(capability_kinds[i].name, kind) != 0)
			continue;
		if (capability_fits(&capability_kinds[i], value))
			return 0;
		return tree_error(r->tree, node, r->err, "capability '%s' must read %s", node->text,
		    capability_kinds[i].form);
	}
	return tree_error(r->tree, node, r->err, "unknown capability '%s'%s", node->text,
	    schema_advice(kind, next_capability, NULL, advice));
}

static int
read_capabilities(const struct reader *r)
{
	const struct tree_node *node = tree_find(r->tree->root, "capabilities");
	struct manifest *m = r->manifest;
	int code;

	if (node == NULL)
		return 0;
	if (node->kind != TREE_LIST || node->count > CAPABILITIES_MAX)
		return tree_error(
		    r->tree, node, r->err, "'capabilities' must be a list of at most 128");
	m->capabilities = calloc(node->count + 1, sizeof *m->capabilities);
	if (m->capabilities == NULL)
		return no_memory(r);
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		if (at->kind != TREE_SCALAR || at->length > CAPABILITY_MAX ||
		    !schema_text_is_plain(at->text))
			return tree_error(r->tree, at, r->err,
			    "each capability must be a text such as listen:tcp");
		code = check_capability(r, at);
		if (code != 0)
			return code;
		m->capabilities[m->capability_count] = strdup(at->text);
		if (m->capabilities[m->capability_count] == NULL)
			return no_memory(r);
		m->capability_count++;
	}
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------- */

static int
read_manifest(const struct reader *r)
{
	static const char *const known[] = {"name", "version", "abi", "kind", "summary", "serves",
	    "capabilities", "config", "exec", "script", NULL};
	const struct tree_node *config;
	int code;

	if (r->tree->root->kind != TREE_MAP)
		return tree_error(
		    r->tree, r->tree->root, r->err, "expected lines of the form 'key: value'");
	/* The ABI first: a manifest of tomorrow may have keys that we do not know. */
	code = read_abi(r);
	if (code == 0)
		code = schema_known_keys(r->tree, r->tree->root, known, NULL, r->err);
	if (code == 0)
		code = read_name(r);
	if (code == 0)
		code = read_version(r);
	if (code == 0)
		code = read_kind(r);
	if (code == 0)
		code = read_text(r, "summary", "", SUMMARY_MAX, &r->manifest->summary);
	if (code == 0)
		code = read_serves(r);
	if (code == 0)
		code = read_capabilities(r);
	if (code == 0)
		code = script_keys_read(r->tree, r->manifest, r->err);
	config = tree_find(r->tree->root, "config");
	if (code == 0 && config != NULL && !tree_is_null(config))
		code = schema_parse(r->tree, config, &r->manifest->schema, r->err);
	if (code == 0)
		code = schema_add_common(
		    &r->manifest->schema, r->manifest->kind, r->tree->origin, r->err);
	return code;
}

int
manifest_parse(const char *text, size_t length, const char *origin, struct manifest **ret,
    struct cairn_error *err)
{
	struct reader r = {.err = err};
	struct tree *tree;
	int code;

	if (length > MANIFEST_TEXT_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s: larger than 64 KiB", origin);
	code = tree_parse(text, length, origin, &tree, err);
	if (code != 0)
		return code;
	r.tree = tree;
	r.manifest = calloc(1, sizeof *r.manifest);
	if (r.manifest == NULL || (r.manifest->path = strdup("")) == NULL)
		code = no_memory(&r);
	else
		code = read_manifest(&r);
	tree_free(tree);
	if (code != 0)
		manifest_free(r.manifest);
	else
		*ret = r.manifest;
	return code;
}

int
manifest_read_fd(
    int fd, const char *shared_object, struct manifest **ret, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = MANIFEST_TEXT_MAX};
	char origin[CAIRN_ERROR_TEXT_MAX];
	struct manifest *manifest;
	const uint8_t *end;
	char *path;
	int code = section_read_fd(fd, shared_object, ".cairn.manifest", &buf, err);

	if (code != 0)
		return code;
	end = buf.length == 0 ? NULL : memchr(buf.data, 0, buf.length);
	if (end == NULL)
		return cairn_error_set(
		    err, CAIRN_ECORRUPT, "%s: its manifest has no end", shared_object);
	snprintf(origin, sizeof origin, "%s (manifest)", shared_object);
	code = manifest_parse(
	    (const char *)buf.data, (size_t)(end - buf.data), origin, &manifest, err);
	if (code != 0)
		return code;
	path = strdup(shared_object);
	if (path == NULL) {
		manifest_free(manifest);
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", shared_object);
	}
	free(manifest->path);
	manifest->path = path;
	*ret = manifest;
	return 0;
}

static void
free_words(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

int
manifest_read(const char *shared_object, struct manifest **ret, struct cairn_error *err)
{
	FD_AUTO fd = -1;

	if (script_is_manifest(shared_object))
		return script_manifest_read(shared_object, ret, err);
	fd = open(shared_object, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return manifest_read_fd(fd, shared_object, ret, err);
}

void
manifest_free(struct manifest *manifest)
{
	if (manifest == NULL)
		return;
	free(manifest->name);
	free(manifest->version);
	free(manifest->kind);
	free(manifest->summary);
	free(manifest->path);
	free(manifest->interpreter);
	free(manifest->script);
	for (size_t i = 0; i < manifest->serve_count; i++) {
		free(manifest->serves[i].subject);
		free(manifest->serves[i].request);
		free(manifest->serves[i].answer);
		free_words(manifest->serves[i].record);
		free_words(manifest->serves[i].fulfils);
	}
	free(manifest->serves);
	for (size_t i = 0; i < manifest->capability_count; i++)
		free(manifest->capabilities[i]);
	free(manifest->capabilities);
	schema_fini(&manifest->schema);
	free(manifest);
}

bool
manifest_has(const struct manifest *manifest, const char *capability)
{
	for (size_t i = 0; i < manifest->capability_count; i++) {
		if (text_subject_matches(manifest->capabilities[i], capability))
			return true;
	}
	return false;
}
