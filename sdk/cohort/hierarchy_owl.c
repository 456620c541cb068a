/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ontology in RDF/XML, as a stream: rdfs:subClassOf of one named class in another.  Anonymous
 * classes (restrictions, unions) say nothing about codes and are passed over.
 */
#include <libxml/xmlreader.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cohort/graph.h"
#include "cohort/systems.h"

#define OWL "http://www.w3.org/2002/07/owl#"
#define RDF "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
#define RDFS "http://www.w3.org/2000/01/rdf-schema#"

struct owl {
	struct hierarchy *hierarchy;
	xmlTextReaderPtr reader;
	const char *path;
	uint32_t file;
	struct cairn_error *err;
	char class_code[COHORT_VALUE_MAX]; /* the class that we are in; "" for none */
	int class_depth;
	unsigned error_line; /* of the XML */
	char error[160];
};

static int
refuse(struct owl *owl, int code, const char *what)
{
	return cairn_error_set(owl->err, code, "%s, line %d: %s", owl->path,
	    xmlTextReaderGetParserLineNumber(owl->reader), what);
}

static bool
is_element(const struct owl *owl, const char *space, const char *name)
{
	const xmlChar *uri = xmlTextReaderConstNamespaceUri(owl->reader);
	const xmlChar *local = xmlTextReaderConstLocalName(owl->reader);

	return uri != NULL && local != NULL && strcmp((const char *)uri, space) == 0 &&
	    strcmp((const char *)local, name) == 0;
}

/* The code of the IRI in an attribute; false where there is none, or none that is a code. */
static bool
attribute_code(const struct owl *owl, const char *name, char ret[COHORT_VALUE_MAX])
{
	xmlChar *value =
	    xmlTextReaderGetAttributeNs(owl->reader, (const xmlChar *)name, (const xmlChar *)RDF);
	const xmlChar *base = xmlTextReaderConstBaseUri(owl->reader);
	char iri[COHORT_VALUE_MAX];
	bool id = strcmp(name, "ID") == 0;
	int code = CAIRN_EINVAL;

	if (value == NULL)
		return false;
	if (id || value[0] == '#')
		snprintf(iri, sizeof iri, "%s%s%s", base != NULL ? (const char *)base : "",
		    id ? "#" : "", (const char *)value);
	else
		snprintf(iri, sizeof iri, "%s", (const char *)value);
	code = cohort_iri_code(iri, ret);
	xmlFree(value);
	return code == 0;
}

static bool
class_code(const struct owl *owl, char ret[COHORT_VALUE_MAX])
{
	return attribute_code(owl, "about", ret) || attribute_code(owl, "ID", ret);
}

static int
add_parent(struct owl *owl, const char *parent)
{
	int line = xmlTextReaderGetParserLineNumber(owl->reader);
	int code;

	if (strcmp(parent, owl->class_code) == 0)
		return 0;
	code = graph_add(
	    owl->hierarchy, owl->class_code, parent, line > 0 ? (uint32_t)line : 0, owl->file);
	return code == 0 ? 0 : refuse(owl, code, "the hierarchies are too large");
}

/* A class at the top, the subClassOf in it, or a named class in that. */
static int
read_element(struct owl *owl)
{
	int depth = xmlTextReaderDepth(owl->reader);
	bool inside = owl->class_code[0] != 0 && depth > owl->class_depth;
	char code[COHORT_VALUE_MAX];

	if (!inside) {
		owl->class_code[0] = 0;
		owl->class_depth = depth;
		if ((is_element(owl, OWL, "Class") || is_element(owl, RDF, "Description") ||
			is_element(owl, RDFS, "Class")) &&
		    class_code(owl, code))
			memcpy(owl->class_code, code, strlen(code) + 1);
		return 0;
	}
	if (depth == owl->class_depth + 1 && is_element(owl, RDFS, "subClassOf") &&
	    attribute_code(owl, "resource", code))
		return add_parent(owl, code);
	return 0;
}

static void
keep_error(void *arg, const xmlError *error)
{
	struct owl *owl = arg;

	if (owl->error[0] != 0 || error == NULL || error->message == NULL)
		return;
	snprintf(owl->error, sizeof owl->error, "%.*s", (int)strcspn(error->message, "\n"),
	    error->message);
	owl->error_line = error->line > 0 ? (unsigned)error->line : 0;
}

static void
keep_error_old(void *arg, xmlErrorPtr error)
{
	keep_error(arg, error);
}

int
hierarchy_owl_read(struct hierarchy *h, const char *path, uint32_t file, struct cairn_error *err)
{
	struct owl owl = {.hierarchy = h, .path = path, .file = file, .err = err};
	int code = 0, more;

	owl.reader = xmlReaderForFile(path, NULL, XML_PARSE_NONET | XML_PARSE_COMPACT);
	if (owl.reader == NULL)
		return cairn_error_set(err, CAIRN_EIO, "%s: cannot be opened", path);
	xmlTextReaderSetStructuredErrorHandler(owl.reader, keep_error_old, &owl);
	while (code == 0 && (more = xmlTextReaderRead(owl.reader)) == 1)
		if (xmlTextReaderNodeType(owl.reader) == XML_READER_TYPE_ELEMENT)
			code = read_element(&owl);
	if (code == 0 && more < 0)
		code = cairn_error_set(err, CAIRN_EINVAL, "%s, line %u: %s", path, owl.error_line,
		    owl.error[0] != 0 ? owl.error : "this is not XML");
	xmlFreeTextReader(owl.reader);
	return code;
}
