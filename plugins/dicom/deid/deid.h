/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_DEID_H
#define DEID_DEID_H

/*
 * De-identification in flight: the header of a DICOM object is rewritten in memory by the attribute
 * confidentiality profiles of PS3.15 annex E (edition 2024b), so that the original never needs to
 * touch a disk.  deid.md says what is done with each kind of attribute and why.
 *
 * How a connector uses it, for each instance:
 *   1. deid_scan() of the header: the identifiers it needs for the pseudonym, and what facts need;
 *   2. deid_supported() and deid_pixel_risk(): refuse what a header engine cannot make safe;
 *   3. deid_uid() of the SOP Instance UID, dcm_meta_write();
 *   4. deid_header(): everything before the pixel data; copy the pixel data element as it is;
 *      deid_trailer(): what follows it;
 *   5. deid_facts().
 *
 * The result depends on the input, the patient and the profile's configuration, and on nothing
 * else: the same input gives the same bytes.  A profile keeps a digest context and caches, so it is
 * for one thread at a time; make one per thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "base/buf.h"
#include "dicom/dict.h"
#include "dicom/part10.h"
#include "dicom/reader.h"

/* The options of the Basic Profile (PS3.15 table E.1-1).  The order is that of gen_profile. */
enum deid_option {
	DEID_SAFE_PRIVATE = 1 << 0,            /* retain-safe-private */
	DEID_UIDS = 1 << 1,                    /* retain-uids */
	DEID_DEVICE_IDENTITY = 1 << 2,         /* retain-device-identity */
	DEID_INSTITUTION_IDENTITY = 1 << 3,    /* retain-institution-identity */
	DEID_PATIENT_CHARACTERISTICS = 1 << 4, /* retain-patient-characteristics */
	DEID_FULL_DATES = 1 << 5,              /* retain-longitudinal-full-dates */
	DEID_MODIFIED_DATES = 1 << 6,          /* retain-longitudinal-modified-dates */
	DEID_CLEAN_DESCRIPTORS = 1 << 7,       /* clean-descriptors */
	DEID_CLEAN_STRUCTURED = 1 << 8,        /* clean-structured-content */
	DEID_CLEAN_GRAPHICS = 1 << 9,          /* clean-graphics */
};

/* The bit of a name, 0 when there is none; the index-th name, NULL past the end. */
unsigned deid_option_find(const char *name);
const char *deid_option_at(size_t index);

#define DEID_UID_KEY_SIZE 32
#define DEID_SAFE_PRIVATE_MAX 256
#define DEID_PSEUDONYM_MAX 64

struct deid_config {
	unsigned options;       /* enum deid_option; the two kinds of dates exclude each other */
	const uint8_t *uid_key; /* DEID_UID_KEY_SIZE bytes */
	const char *project;    /* the same UID is another one in another project */
	/* More private attributes that are safe to keep (with DEID_SAFE_PRIVATE), beside the
	 * built-in ones: "CREATOR:gggg,xxee", as "SIEMENS MR HEADER:0019,xx0C". */
	const char *const *safe_private;
	size_t safe_private_count;
};

struct deid_profile;

/* CAIRN_EINVAL with the reason when the configuration is wrong.  Copies what it needs. */
int deid_profile_new(
    struct deid_profile **ret, const struct deid_config *config, struct cairn_error *err);
void deid_profile_free(struct deid_profile *profile);

/* Who the patient becomes. */
struct deid_patient {
	const char *pseudonym;   /* printable ASCII without a backslash, 1 to DEID_PSEUDONYM_MAX */
	int32_t date_shift_days; /* used with DEID_MODIFIED_DATES, and in facts */
};

/* A data set, or a part of one, in an encoding that is not deflated. */
struct deid_input {
	const struct dcm_syntax *syntax;
	const uint8_t *data;
	size_t length;
};

/* Where the header ended: at top-level pixel data, or at the end of the input. */
struct deid_end {
	bool pixels;
	uint32_t tag; /* of the pixel data element */
	uint16_t vr;
	uint32_t length;     /* of its value; DCM_UNDEFINED when encapsulated */
	size_t offset;       /* of its first byte in the input; the input's length without pixels */
	size_t value_offset; /* of its value's first byte */
	/* The encoding found, which is also that of the rewritten header: now and then another one
	 * than announced.  Name this one in dcm_meta_write(). */
	const struct dcm_syntax *syntax;
};

/*
 * Appends the rewritten header, in the input's encoding, to `out`.  The input is whole: it reaches
 * to the value of the top-level pixel data or to the end of the data set.  What lies past
 * ret_end->offset is not looked at: the caller copies the pixel data element as it is.
 *   CAIRN_ECORRUPT, CAIRN_ELIMIT  as the reader says; CAIRN_EINVAL for a bad pseudonym
 * On failure `out` has its old length.
 */
int deid_header(struct deid_profile *profile, const struct deid_patient *patient,
    const struct deid_input *input, struct buf *out, struct deid_end *ret_end,
    struct cairn_error *err);

/* The same for what follows the pixel data's value (padding, signatures); often nothing is left.
 * Pixel data in here is CAIRN_ECORRUPT: there is one in a data set. */
int deid_trailer(struct deid_profile *profile, const struct deid_patient *patient,
    const struct deid_input *input, struct buf *out, struct cairn_error *err);

/* The new UID of `uid`.  Well-known ones stay, and all with DEID_UIDS, except what is longer than
 * DCM_UID_MAX and so no UID.  CAIRN_EINVAL when `uid` is empty. */
int deid_uid(struct deid_profile *profile, const char *uid, char ret[DCM_UID_MAX + 1],
    struct cairn_error *err);

/* ---- before rewriting ------------------------------------------------------------------- */

#define DEID_TEXT_MAX 256
#define DEID_UID_MAX 128 /* some senders exceed the 64 of the standard */

/* What a connector has to know of the original.  Identifiable: never stored, never logged.  An
 * absent or overlong value is "". */
struct deid_scan {
	struct dcm_reader reader;
	const struct dcm_syntax *announced;
	char patient_id[DEID_TEXT_MAX];
	char issuer[DEID_TEXT_MAX]; /* Issuer of Patient ID (0010,0021) */
	char accession[DEID_TEXT_MAX];
	char accession_issuer[DEID_TEXT_MAX]; /* the sequence's Local or Universal Entity ID */
	char other_id[DEID_TEXT_MAX];         /* the first of Other Patient IDs Sequence */
	char other_issuer[DEID_TEXT_MAX];
	unsigned other_ids;
	char sop_class[DEID_UID_MAX + 1];
	char sop_instance[DEID_UID_MAX + 1];
	char study[DEID_UID_MAX + 1];
	char series[DEID_UID_MAX + 1];
	char modality[32];
	char body_part[DEID_TEXT_MAX];
	char region[DEID_TEXT_MAX]; /* the code meaning in Anatomic Region Sequence */
	char manufacturer[DEID_TEXT_MAX];
	char model[DEID_TEXT_MAX];
	char sex[32];
	char slice_thickness[64];
	char study_date[32];
	char birth_date[32];
	char age[16];
	/* for deid_pixel_risk() */
	char burned_in[32];
	char recognizable[32];
	char conversion[32];
	char image_type[DEID_TEXT_MAX];
	char photometric[32];
	bool overlay_in_pixels;
	bool encapsulated_document;
	struct deid_end end;
};

/* One pass over the original header, while it arrives: the same beginning with more bytes each
 * time. CAIRN_EAGAIN  the header goes on behind data[0..length); only when !eof otherwise 0, and
 * scan->end says where the header ended, or as the reader says. */
void deid_scan_begin(struct deid_scan *scan, const struct dcm_syntax *syntax);
int deid_scan_more(
    struct deid_scan *scan, const uint8_t *data, size_t length, bool eof, struct cairn_error *err);

/* Both for a header that is there; `input` as for deid_header(). */
int deid_scan(const struct deid_input *input, struct deid_scan *ret, struct cairn_error *err);

/* Whether rewriting the header makes objects of this SOP class safe.  If not, `*ret_reason` (may be
 * NULL) says why in words that may be shown and logged. */
bool deid_supported(const char *sop_class, const char **ret_reason);

enum deid_risk {
	DEID_RISK_NONE,
	DEID_RISK_SUSPECTED, /* the kind of image that often shows the patient's name */
	DEID_RISK_DECLARED,  /* the object itself says that it does, or that it is recognisable */
};

/* The pixels' own risk; this engine never changes pixels.  `*ret_reason` may be NULL. */
enum deid_risk deid_pixel_risk(const struct deid_scan *scan, const char **ret_reason);

#endif
