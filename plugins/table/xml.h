/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_XML_H
#define TABLE_XML_H

/* A part of a workbook, parsed as it is unpacked.  A document type declaration is refused: no
 * entities are expanded.  Names come without their prefix's namespace ("row", "r:id" is "id"). */

#include <expat.h>

#include "zip.h"

struct xml {
	XML_Parser parser;
	struct zip_part part;
	struct cairn_error *err;
	int code; /* set by a handler that fails: stops */
	bool paused, ended;
};

/* `user` goes to the handlers, whose first member is a struct xml. */
int xml_open(struct xml *xml, const struct zip *zip, const char *name,
    XML_StartElementHandler start, XML_EndElementHandler end, XML_CharacterDataHandler text,
    struct cairn_error *err);
void xml_close(struct xml *xml);
/* Parses on to the end or to where a handler says xml_pause(). */
int xml_run(struct xml *xml, struct cairn_error *err);
void xml_pause(struct xml *xml);
void xml_fail(struct xml *xml, int code, const char *why);
const char *xml_name(const char *name);
/* The value of an attribute, by its local name; NULL where it is not there. */
const char *xml_attribute(const char **attributes, const char *name);

#endif
