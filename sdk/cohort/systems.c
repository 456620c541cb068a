/* SPDX-License-Identifier: Apache-2.0 */
/* Code systems by all the names they go under, and the usual form of their codes. */
#include "cohort/systems.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum shape { PLAIN, ICD10, ICDO3, CURIE };

/* The first name is the URI as FHIR writes it; then OID, HL7 table 0396, DICOM designator, older
 * URIs, and spellings of the prefix. */
static const struct {
	const char *prefix;
	enum shape shape;
	const char *names[10];
} systems[] = {
    {"icd10", ICD10,
	{"http://hl7.org/fhir/sid/icd-10", "2.16.840.1.113883.6.3", "I10", "ICD10", "icd-10",
	    "http://hl7.org/fhir/sid/icd-10-cm", "2.16.840.1.113883.6.90", "I10C", "ICD-10-CM"}},
    {"icd10", ICD10,
	{"http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://fhir.de/CodeSystem/dimdi/icd-10-gm",
	    "1.2.276.0.76.5.409", "ICD-10-GM", "I10G", "icd10gm", "icd10cm", "icd10-gm",
	    "icd10-cm"}},
    {"icdo3", ICDO3,
	{"http://terminology.hl7.org/CodeSystem/icd-o-3", "2.16.840.1.113883.6.43.1", "ICDO3",
	    "http://hl7.org/fhir/sid/icd-o-3", "urn:oid:2.16.840.1.113883.6.43.1", "ICD-O-3",
	    "ICDO", "icd-o", "http://www.who.int/classifications/icd/adaptations/oncology"}},
    {"snomed", PLAIN,
	{"http://snomed.info/sct", "2.16.840.1.113883.6.96", "SCT", "SNOMEDCT",
	    "http://snomed.info/id", "SNM3", "sct2", "SNOMED-CT"}},
    {"loinc", PLAIN, {"http://loinc.org", "2.16.840.1.113883.6.1", "LN"}},
    {"ncit", PLAIN,
	{"http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl", "2.16.840.1.113883.3.26.1.1", "NCIt",
	    "http://ncithesaurus-stage.nci.nih.gov", "http://purl.obolibrary.org/obo/ncit.owl",
	    "NCIM", "http://ncimeta.nci.nih.gov"}},
    {"rxnorm", PLAIN,
	{"http://www.nlm.nih.gov/research/umls/rxnorm", "2.16.840.1.113883.6.88", "RXNORM"}},
    {"atc", PLAIN,
	{"http://www.whocc.no/atc", "2.16.840.1.113883.6.73", "WC",
	    "http://fhir.de/CodeSystem/bfarm/atc", "http://fhir.de/CodeSystem/dimdi/atc"}},
    {"hgnc", CURIE,
	{"http://www.genenames.org/geneId", "2.16.840.1.113883.6.281", "HGNC",
	    "http://www.genenames.org", "HGNC-Symb"}},
    {"ucum", PLAIN, {"http://unitsofmeasure.org", "2.16.840.1.113883.6.8", "UCUM"}},
    {"mondo", CURIE,
	{"http://purl.obolibrary.org/obo/mondo.owl", "http://purl.obolibrary.org/obo/mondo",
	    "2.16.840.1.113883.3.9216"}},
    {"hp", CURIE,
	{"http://human-phenotype-ontology.org", "http://human-phenotype-ontology.org/hp",
	    "http://purl.obolibrary.org/obo/hp.owl", "2.16.840.1.113883.6.339", "HPO"}},
    {"so", CURIE,
	{"http://sequenceontology.org", "http://www.sequenceontology.org",
	    "http://purl.obolibrary.org/obo/so.owl"}},
    {"eucaim", PLAIN,
	{"https://cancerimage.eu/ontology/EUCAIM", "EUCAIM_Hyper-Ontology_V1.0",
	    "http://cancerimage.eu/ontology/EUCAIM"}},
    {"radlex", PLAIN,
	{"http://www.radlex.org", "http://radlex.org", "2.16.840.1.113883.6.256", "RADLEX",
	    "http://www.radlex.org/RID"}},
    {"dcm", PLAIN, {"http://dicom.nema.org/resources/ontology/DCM", "1.2.840.10008.2.16.4", "DCM"}},
};

#define SYSTEMS (sizeof systems / sizeof systems[0])
#define NAMES (sizeof systems[0].names / sizeof systems[0].names[0])

/* A URI may end with a slash or hash, an OID begin with urn:oid:. */
static bool
is_name(const char *name, const char *text, size_t length)
{
	if (length > 8 && strncasecmp(text, "urn:oid:", 8) == 0) {
		text += 8;
		length -= 8;
	}
	while (length > 1 && (text[length - 1] == '/' || text[length - 1] == '#'))
		length--;
	return strlen(name) == length && strncasecmp(name, text, length) == 0;
}

static size_t
find_system(const char *text, size_t length)
{
	for (size_t i = 0; i < SYSTEMS; i++) {
		if (is_name(systems[i].prefix, text, length))
			return i;
		for (size_t n = 0; n < NAMES && systems[i].names[n] != NULL; n++)
			if (is_name(systems[i].names[n], text, length))
				return i;
	}
	return SYSTEMS;
}

const char *
cohort_system_prefix(const char *uri)
{
	size_t at = find_system(uri, strlen(uri));

	return at < SYSTEMS ? systems[at].prefix : NULL;
}

const char *
cohort_system_uri(const char *prefix)
{
	for (size_t i = 0; i < SYSTEMS; i++)
		if (strcasecmp(systems[i].prefix, prefix) == 0)
			return systems[i].names[0];
	return NULL;
}

const char *
cohort_system_at(size_t index)
{
	for (size_t i = 0; i < SYSTEMS; i++) {
		if (i > 0 && strcmp(systems[i].prefix, systems[i - 1].prefix) == 0)
			continue;
		if (index-- == 0)
			return systems[i].prefix;
	}
	return NULL;
}

/* ---- codes ------------------------------------------------------------------------------- */

/* "c501", "C50.1", "C50.1+", "C50.-": upper case, no marks, a dot behind the category.  Blocks
 * ("C00-C75") have none. */
static void
icd_form(char *code)
{
	size_t length = 0;

	for (size_t i = 0; code[i] != 0; i++) {
		char c = (char)toupper((unsigned char)code[i]);

		if (c != '.' && (isalnum((unsigned char)c) || c == '-'))
			code[length++] = c;
	}
	while (length > 0 && code[length - 1] == '-')
		length--;
	code[length] = 0;
	if (length <= 3 || strchr(code, '-') != NULL || !isalpha((unsigned char)code[0]))
		return;
	memmove(code + 4, code + 3, length - 2);
	code[3] = '.';
}

/* Topography as ICD-10; morphology as four digits, a slash and the behaviour. */
static void
icdo_form(char *code)
{
	size_t length;

	if ((code[0] == 'M' || code[0] == 'm') && isdigit((unsigned char)code[1]))
		memmove(code, code + 1, strlen(code));
	if (!isdigit((unsigned char)code[0])) {
		icd_form(code);
		return;
	}
	length = strlen(code);
	if (length != 5 || strspn(code, "0123456789") != 5)
		return;
	code[5] = code[4];
	code[6] = 0;
	code[4] = '/';
}

static bool
is_clean(const char *text)
{
	for (; *text != 0; text++)
		if ((unsigned char)*text <= ' ' || *text == 127)
			return false;
	return true;
}

/* Room for one character more, which a form may add. */
#define CODE_ROOM (COHORT_VALUE_MAX - 64)

static int
known_code(size_t system, const char *code, char ret[COHORT_VALUE_MAX])
{
	char text[COHORT_VALUE_MAX];
	const char *prefix = systems[system].prefix;
	size_t length = strlen(prefix);

	if (systems[system].shape == CURIE && strncasecmp(code, prefix, length) == 0 &&
	    (code[length] == ':' || code[length] == '_'))
		code += length + 1;
	snprintf(text, sizeof text, "%.*s", CODE_ROOM, code);
	if (systems[system].shape == ICD10)
		icd_form(text);
	else if (systems[system].shape == ICDO3)
		icdo_form(text);
	if (text[0] == 0)
		return CAIRN_EINVAL;
	snprintf(ret, COHORT_VALUE_MAX, "%s:%.*s", prefix, CODE_ROOM, text);
	return 0;
}

int
cohort_code(const char *uri, const char *code, char ret[COHORT_VALUE_MAX])
{
	size_t at = find_system(uri, strlen(uri));
	int length;

	if (uri[0] == 0 || code[0] == 0 || !cohort_is_value_text(code) ||
	    !cohort_is_value_text(uri) || !is_clean(code) || !is_clean(uri) ||
	    strlen(uri) + strlen(code) > CODE_ROOM)
		return CAIRN_EINVAL;
	if (at < SYSTEMS)
		return known_code(at, code, ret);
	length = snprintf(ret, COHORT_VALUE_MAX, "%s|%s", uri, code);
	return length < 0 || length >= COHORT_VALUE_MAX ? CAIRN_EINVAL : 0;
}

int
cohort_code_value(const char *value, char ret[COHORT_VALUE_MAX])
{
	const char *bar = strrchr(value, '|'), *colon = strchr(value, ':');
	const char *end = bar != NULL ? bar : colon;
	char uri[COHORT_VALUE_MAX + 1];

	if (end == NULL || end == value || strlen(value) > CODE_ROOM)
		return CAIRN_EINVAL;
	snprintf(uri, sizeof uri, "%.*s", (int)(end - value), value);
	if (bar == NULL && cohort_system_prefix(uri) == NULL)
		return CAIRN_EINVAL;
	if (bar != NULL && strchr(uri, ':') == NULL && cohort_system_prefix(uri) == NULL)
		return CAIRN_EINVAL;
	return cohort_code(uri, end + 1, ret);
}

/* ---- IRIs -------------------------------------------------------------------------------- */

/* OBO: ".../obo/NCIT_C4017". */
static int
obo_code(const char *local, char ret[COHORT_VALUE_MAX])
{
	const char *score = strchr(local, '_');
	size_t at = score != NULL ? find_system(local, (size_t)(score - local)) : SYSTEMS;

	return at < SYSTEMS ? cohort_code(systems[at].prefix, score + 1, ret) : CAIRN_ENOTFOUND;
}

int
cohort_iri_code(const char *iri, char ret[COHORT_VALUE_MAX])
{
	const char *hash = strrchr(iri, '#'), *slash = strrchr(iri, '/');
	const char *end = hash != NULL ? hash : slash;
	char uri[COHORT_VALUE_MAX + 1];

	if (end == NULL || end == iri || strlen(iri) > CODE_ROOM)
		return CAIRN_EINVAL;
	if (strstr(iri, "/obo/") != NULL && obo_code(end + 1, ret) == 0)
		return 0;
	snprintf(uri, sizeof uri, "%.*s", (int)(end - iri), iri);
	return cohort_code(uri, end + 1, ret);
}
