/* SPDX-License-Identifier: Apache-2.0 */
/* What rewriting a header cannot make safe: documents and voices in the object, text in the pixels.
 */
#include <string.h>

#include "deid/deid.h"

static bool
begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool
refuse(const char **ret_reason, const char *reason)
{
	if (ret_reason != NULL)
		*ret_reason = reason;
	return false;
}

bool
deid_supported(const char *sop_class, const char **ret_reason)
{
	if (sop_class[0] == 0)
		return refuse(ret_reason, "the object has no SOP Class UID");
	if (begins(sop_class, "1.2.840.10008.5.1.4.1.1.104."))
		return refuse(ret_reason,
		    "an encapsulated document (PDF, CDA, STL ...) carries identifiers in its body");
	if (strcmp(sop_class, "1.2.840.10008.5.1.4.1.1.66") == 0)
		return refuse(
		    ret_reason, "raw data are private to the device and may hold anything");
	if (strcmp(sop_class, "1.2.840.10008.5.1.4.1.1.9.4.1") == 0 ||
	    strcmp(sop_class, "1.2.840.10008.5.1.4.1.1.9.4.2") == 0)
		return refuse(ret_reason, "an audio waveform is a voice");
	if (strcmp(sop_class, "1.2.840.10008.1.3.10") == 0)
		return refuse(ret_reason, "a DICOMDIR names patients and files; import its files");
	if (dcm_storage_class_name(sop_class) == NULL)
		return refuse(
		    ret_reason, "a private or unknown SOP class: what it means is not published");
	return true;
}

static enum deid_risk
risk(const char **ret_reason, enum deid_risk level, const char *reason)
{
	if (ret_reason != NULL)
		*ret_reason = reason;
	return level;
}

/* Kinds that are photographs or screens by nature. */
static const char *
suspicious_class(const struct deid_scan *scan)
{
	static const struct {
		const char *prefix;
		const char *reason;
	} classes[] = {
	    {"1.2.840.10008.5.1.4.1.1.7", "a secondary capture may show a patient's name"},
	    {"1.2.840.10008.5.1.4.1.1.3.1", "ultrasound often shows a patient's name"},
	    {"1.2.840.10008.5.1.4.1.1.6.", "ultrasound often shows a patient's name"},
	    {"1.2.840.10008.5.1.4.1.1.77.1.1", "endoscopy often shows a patient's name"},
	    {"1.2.840.10008.5.1.4.1.1.77.1.4", "photographs may show a face or a label"},
	};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (begins(scan->sop_class, classes[i].prefix) &&
		    (scan->sop_class[strlen(classes[i].prefix)] == 0 ||
			scan->sop_class[strlen(classes[i].prefix)] == '.' ||
			classes[i].prefix[strlen(classes[i].prefix) - 1] == '.'))
			return classes[i].reason;
	return NULL;
}

/* Scanned film, digitised video and screens (PS3.3 C.8.6.1). */
static bool
is_captured(const char *conversion)
{
	static const char *const kinds[] = {"DV", "DI", "DF", "SD", "SI", "DRW"};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(conversion, kinds[i]) == 0)
			return true;
	return false;
}

static bool
is_coloured_section(const struct deid_scan *scan)
{
	static const char *const modalities[] = {
	    "CT", "MR", "MG", "CR", "DX", "PT", "NM", "RF", "XA"};

	if (strcmp(scan->photometric, "RGB") != 0 && !begins(scan->photometric, "YBR"))
		return false;
	for (size_t i = 0; i < sizeof modalities / sizeof modalities[0]; i++)
		if (strcmp(scan->modality, modalities[i]) == 0)
			return true;
	return false;
}

enum deid_risk
deid_pixel_risk(const struct deid_scan *scan, const char **ret_reason)
{
	const char *reason;

	if (strcmp(scan->burned_in, "YES") == 0)
		return risk(
		    ret_reason, DEID_RISK_DECLARED, "Burned In Annotation (0028,0301) is YES");
	if (strcmp(scan->recognizable, "YES") == 0)
		return risk(ret_reason, DEID_RISK_DECLARED,
		    "Recognizable Visual Features (0028,0302) is YES");
	if (!scan->end.pixels)
		return risk(ret_reason, DEID_RISK_NONE, "no pixel data");
	if (scan->overlay_in_pixels)
		return risk(ret_reason, DEID_RISK_SUSPECTED,
		    "an overlay is embedded in the unused bits of the pixels");
	if (strcmp(scan->burned_in, "NO") == 0)
		return risk(ret_reason, DEID_RISK_NONE, "Burned In Annotation (0028,0301) is NO");
	reason = suspicious_class(scan);
	if (reason != NULL)
		return risk(ret_reason, DEID_RISK_SUSPECTED, reason);
	if (is_captured(scan->conversion))
		return risk(ret_reason, DEID_RISK_SUSPECTED,
		    "Conversion Type (0008,0064) tells of film, video or a screen");
	if (strstr(scan->image_type, "SCREEN SAVE") != NULL)
		return risk(ret_reason, DEID_RISK_SUSPECTED, "Image Type tells of a screen");
	if (is_coloured_section(scan))
		return risk(ret_reason, DEID_RISK_SUSPECTED,
		    "a coloured image of a monochrome modality is often a report or a screen");
	return risk(ret_reason, DEID_RISK_NONE, "nothing suggests text in the pixels");
}
