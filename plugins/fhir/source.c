/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int
source_open(struct source *ret, const struct mapping *mapping, enum records_format format,
    source_fn *each, void *arg, struct cairn_error *err)
{
	const struct json_limits limits = {SOURCE_RECORD_MAX, SOURCE_DEPTH_MAX};
	struct source source = {.mapping = mapping, .each = each, .arg = arg};
	int code = json_new(&source.parser, &limits, err);

	if (code == 0)
		code = records_new(&source.records, format, SOURCE_RECORD_MAX, err);
	source.result = code == 0 ? calloc(1, sizeof *source.result) : NULL;
	if (code == 0 && source.result == NULL)
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (code != 0)
		source_close(&source);
	else
		*ret = source;
	return code;
}

void
source_close(struct source *source)
{
	json_free(source->parser);
	records_free(source->records);
	free(source->result);
	memset(source, 0, sizeof *source);
}

static const char *
text_of(struct json_value value, const char *name)
{
	struct json_value member;
	const char *text = json_get(value, name, &member) ? json_string(member, NULL) : NULL;

	return text == NULL ? "" : text;
}

static int
take_resource(
    struct source *source, struct json_value resource, const char *url, struct cairn_error *err)
{
	int code = map_resource(source->mapping, resource, source->result, err);

	if (code != 0)
		return code;
	source->resources++;
	return source->each(source->arg, source->result, url, err);
}

/* An entry without a resource (of a batch's answer, say) says nothing. */
static int
take_entry(struct source *source, struct json_value entry, struct cairn_error *err)
{
	struct json_value resource, search;

	if (!json_get(entry, "resource", &resource))
		return 0;
	/* What a server wants to say of the search is no resource that was searched. */
	if (json_get(entry, "search", &search) && strcmp(text_of(search, "mode"), "outcome") == 0)
		return 0;
	return take_resource(source, resource, text_of(entry, "fullUrl"), err);
}

static int
take_link(struct source *source, struct json_value bundle, struct cairn_error *err)
{
	struct json_value links;
	struct json_walk walk;

	source->bundle = true;
	if (!json_get(bundle, "link", &links))
		return 0;
	walk = json_walk(links);
	while (json_next(&walk)) {
		if (strcmp(text_of(walk.value, "relation"), "next") == 0 &&
		    !text_copy(source->next, sizeof source->next, text_of(walk.value, "url")))
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "link.next is longer than 2047 bytes");
	}
	return 0;
}

static int
take_whole(struct source *source, struct json_value value, struct cairn_error *err)
{
	struct json_value entries;
	struct json_walk walk;
	int code = 0;

	if (strcmp(text_of(value, "resourceType"), "Bundle") != 0)
		return take_resource(source, value, "", err);
	if (json_get(value, "entry", &entries)) {
		walk = json_walk(entries);
		while (code == 0 && json_next(&walk))
			code = take_entry(source, walk.value, err);
	}
	return code == 0 ? take_link(source, value, err) : code;
}

static int
take_record(struct source *source, const struct record *record, struct cairn_error *err)
{
	struct json_value value;
	int code = json_parse(source->parser, record->text, record->length, &value, err);

	if (code == 0 && record->envelope)
		code = take_link(source, value, err);
	else if (code == 0 && record->entry)
		code = take_entry(source, value, err);
	else if (code == 0)
		code = take_whole(source, value, err);
	if (code != 0)
		cairn_error_prefix(err, code, "in what begins at byte %llu, line %llu",
		    (unsigned long long)record->offset, (unsigned long long)record->line);
	return code;
}

static int
drain(struct source *source, int end, struct cairn_error *err)
{
	struct record record;
	int code = 0;

	while (code == 0) {
		code = records_next(source->records, &record, err);
		if (code == 0)
			code = take_record(source, &record, err);
		else if (code == end)
			return 0;
	}
	return code;
}

int
source_feed(struct source *source, const void *bytes, size_t length, struct cairn_error *err)
{
	int code = records_feed(source->records, bytes, length, err);

	return code == 0 ? drain(source, CAIRN_EAGAIN, err) : code;
}

int
source_end(struct source *source, struct cairn_error *err)
{
	records_end(source->records);
	return drain(source, CAIRN_ENOTFOUND, err);
}
