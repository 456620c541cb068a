/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define ENTRIES_MAX 4000000
#define LIST_BYTES_MAX ((size_t)1 << 30)

static const char *const kinds[] = {"file", "link", "folder"};

bool
backup_path_valid(const char *path)
{
	if (path[0] == 0 || path[0] == '/' || strlen(path) >= 4000)
		return false;
	while (*path != 0) {
		size_t part = strcspn(path, "/");

		if (part == 0 || (part == 1 && path[0] == '.') ||
		    (part == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += part;
		if (*path == '/' && *++path == 0)
			return false;
	}
	return true;
}

int
backup_list_add(struct backup_list *list, const struct backup_entry *entry, struct cairn_error *err)
{
	struct backup_entry copy = *entry;

	if (list->count == ENTRIES_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "more than %d files; use `store: segments` for so many", ENTRIES_MAX);
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 256 : 2 * list->room;
		struct backup_entry *more = realloc(list->entries, room * sizeof *more);

		if (more == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		list->entries = more;
		list->room = room;
	}
	copy.path = strdup(entry->path);
	copy.target = entry->target == NULL ? NULL : strdup(entry->target);
	if (copy.path == NULL || (entry->target != NULL && copy.target == NULL)) {
		free(copy.path);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	list->entries[list->count++] = copy;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct backup_entry *)a)->path, ((const struct backup_entry *)b)->path);
}

void
backup_list_sort(struct backup_list *list)
{
	if (list->count > 0)
		qsort(list->entries, list->count, sizeof *list->entries, compare);
}

const struct backup_entry *
backup_list_find(const struct backup_list *list, const char *path)
{
	const struct backup_entry key = {.path = (char *)(uintptr_t)path};

	return list->count == 0
	    ? NULL
	    : bsearch(&key, list->entries, list->count, sizeof *list->entries, compare);
}

void
backup_list_fini(struct backup_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->entries[i].path);
		free(list->entries[i].target);
	}
	free(list->entries);
	*list = (struct backup_list){0};
}

/* ---- JSON ------------------------------------------------------------------------------- */

static json_t *
entry_json(const struct backup_entry *entry)
{
	json_t *json = json_pack("{s:s, s:s, s:i, s:I, s:I}", "path", entry->path, "kind",
	    kinds[entry->kind], "mode", (int)(entry->mode & 07777u), "uid", (json_int_t)entry->uid,
	    "gid", (json_int_t)entry->gid);

	if (entry->kind == BACKUP_LINK)
		json_object_set_new(json, "target", json_string(entry->target));
	if (entry->kind != BACKUP_FILE)
		return json;
	json_object_set_new(json, "size", json_integer((json_int_t)entry->size));
	json_object_set_new(json, "mtime_ns", json_integer((json_int_t)entry->mtime_ns));
	json_object_set_new(json, "sha256", json_string(entry->sha256));
	return json;
}

char *
backup_list_text(const struct backup_list *list)
{
	json_t *files = json_array();
	json_t *root;
	char *text;

	for (size_t i = 0; i < list->count; i++) {
		/* A name that is no UTF-8 is none of ours; leaving it out would lose it unsaid. */
		if (json_array_append_new(files, entry_json(&list->entries[i])) != 0) {
			json_decref(files);
			return NULL;
		}
	}
	root = json_pack("{s:i, s:s, s:s, s:b, s:b, s:o}", "format", BACKUP_FORMAT, "node",
	    list->node, "taken", list->taken, "keys", list->keys, "index_stale", list->index_stale,
	    "files", files);
	text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}

static int
bad(struct cairn_error *err, const char *what)
{
	return cairn_error_set(err, CAIRN_ECORRUPT, "its " BACKUP_LIST " is damaged: %s", what);
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static int
parse_entry(const json_t *json, struct backup_list *list, struct cairn_error *err)
{
	struct backup_entry entry = {.path = (char *)(uintptr_t)text_of(json, "path"),
	    .mode = (mode_t)(json_integer_value(json_object_get(json, "mode")) & 07777),
	    .uid = (uid_t)json_integer_value(json_object_get(json, "uid")),
	    .gid = (gid_t)json_integer_value(json_object_get(json, "gid")),
	    .size = (uint64_t)json_integer_value(json_object_get(json, "size")),
	    .mtime_ns = json_integer_value(json_object_get(json, "mtime_ns"))};
	const char *kind = text_of(json, "kind");
	size_t index = 0;

	while (index < 3 && strcmp(kinds[index], kind) != 0)
		index++;
	if (index == 3 || !backup_path_valid(entry.path))
		return bad(err, "a path that leads elsewhere, or an unknown kind");
	entry.kind = (enum backup_kind)index;
	snprintf(entry.sha256, sizeof entry.sha256, "%s", text_of(json, "sha256"));
	if (entry.kind == BACKUP_LINK)
		entry.target = (char *)(uintptr_t)text_of(json, "target");
	if (entry.kind == BACKUP_FILE && (strlen(entry.sha256) != 64 || entry.size > INT64_MAX))
		return bad(err, "a file without digest");
	return backup_list_add(list, &entry, err);
}

static int
parse_root(const json_t *root, struct backup_list *list, struct cairn_error *err)
{
	const json_t *files = json_object_get(root, "files"), *file;
	size_t index;
	int code = 0;

	if (!json_is_object(root) || !json_is_array(files))
		return bad(err, "it is not whole");
	if (json_integer_value(json_object_get(root, "format")) != BACKUP_FORMAT)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "the backup has a format that this version does not know");
	list->keys = json_is_true(json_object_get(root, "keys"));
	list->index_stale = json_is_true(json_object_get(root, "index_stale"));
	snprintf(list->node, sizeof list->node, "%s", text_of(root, "node"));
	snprintf(list->taken, sizeof list->taken, "%s", text_of(root, "taken"));
	json_array_foreach(files, index, file)
	{
		code = parse_entry(file, list, err);
		if (code != 0)
			return code;
	}
	backup_list_sort(list);
	for (size_t i = 1; i < list->count; i++) {
		if (strcmp(list->entries[i - 1].path, list->entries[i].path) == 0)
			return bad(err, "a path twice");
	}
	return 0;
}

int
backup_list_parse(const char *text, size_t length, struct backup_list *ret, struct cairn_error *err)
{
	struct backup_list list = {0};
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	int code = parse_root(root, &list, err);

	json_decref(root);
	if (code != 0)
		backup_list_fini(&list);
	else
		*ret = list;
	return code;
}

int
backup_list_read(const char *dir, struct backup_list *ret, struct cairn_error *err)
{
	BUF_AUTO text = {.max = LIST_BYTES_MAX};
	char path[4096];
	int code = file_join(path, sizeof path, dir, BACKUP_LIST);

	if (code == 0 && !file_exists(path))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s has no " BACKUP_LIST ": it is no backup, or one that did not end", dir);
	if (code == 0)
		code = file_read(path, &text, err);
	if (code == 0)
		code = backup_list_parse((const char *)text.data, text.length, ret, err);
	return code == 0 ? 0 : cairn_error_prefix(err, code, "%s", dir);
}
