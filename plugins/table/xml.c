/* SPDX-License-Identifier: Apache-2.0 */
#include "xml.h"

#include <string.h>

const char *
xml_name(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon == NULL ? name : colon + 1;
}

const char *
xml_attribute(const char **attributes, const char *name)
{
	for (; attributes[0] != NULL; attributes += 2) {
		if (strcmp(xml_name(attributes[0]), name) == 0)
			return attributes[1];
	}
	return NULL;
}

void
xml_fail(struct xml *xml, int code, const char *why)
{
	if (xml->code == 0)
		xml->code = cairn_error_set(xml->err, code, "%s", why);
	XML_StopParser(xml->parser, XML_FALSE);
}

void
xml_pause(struct xml *xml)
{
	xml->paused = true;
	XML_StopParser(xml->parser, XML_TRUE);
}

static void
doctype(void *user, const char *name, const char *system, const char *public, int internal)
{
	(void)name, (void)system, (void)public, (void)internal;
	xml_fail(user, CAIRN_EINVAL, "the workbook has a document type declaration");
}

int
xml_open(struct xml *xml, const struct zip *zip, const char *name, XML_StartElementHandler start,
    XML_EndElementHandler end, XML_CharacterDataHandler text, struct cairn_error *err)
{
	const struct zip_entry *entry = zip_find(zip, name);
	int code;

	memset(xml, 0, sizeof *xml);
	if (entry == NULL)
		return cairn_error_set(err, CAIRN_ENOTFOUND, "the workbook has no part %s", name);
	code = zip_part_open(&xml->part, zip, entry, err);
	if (code != 0)
		return code;
	xml->parser = XML_ParserCreate(NULL);
	if (xml->parser == NULL) {
		zip_part_close(&xml->part);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	XML_SetUserData(xml->parser, xml);
	XML_SetElementHandler(xml->parser, start, end);
	XML_SetCharacterDataHandler(xml->parser, text);
	XML_SetStartDoctypeDeclHandler(xml->parser, doctype);
	return 0;
}

void
xml_close(struct xml *xml)
{
	if (xml->parser == NULL)
		return;
	XML_ParserFree(xml->parser);
	zip_part_close(&xml->part);
	xml->parser = NULL;
}

static enum XML_Status
feed(struct xml *xml, int *ret_code, struct cairn_error *err)
{
	void *room = XML_GetBuffer(xml->parser, 16384);
	size_t length = 0;

	*ret_code = room == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
				 : zip_part_read(&xml->part, room, 16384, &length, err);
	if (*ret_code != 0)
		return XML_STATUS_ERROR;
	xml->ended = length == 0;
	return XML_ParseBuffer(xml->parser, (int)length, length == 0);
}

int
xml_run(struct xml *xml, struct cairn_error *err)
{
	enum XML_Status status = XML_STATUS_OK;
	bool resume = xml->paused;

	xml->err = err;
	xml->paused = false;
	while (status == XML_STATUS_OK && (resume || !xml->ended)) {
		int code = 0;

		status = resume ? XML_ResumeParser(xml->parser) : feed(xml, &code, err);
		resume = false;
		if (code != 0)
			return code;
	}
	if (xml->code != 0)
		return xml->code;
	if (status == XML_STATUS_ERROR)
		return cairn_error_set(err, CAIRN_EINVAL, "the workbook's XML is damaged: %s",
		    XML_ErrorString(XML_GetErrorCode(xml->parser)));
	return 0;
}
