/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_TESTING_H
#define DEID_TESTING_H

/* For the tests beside it: a data set that is built, de-identified and looked into. */

#include "base/test.h"
#include "deid/deid.h"
#include "dicom/reader.h"
#include "dicom/writer.h"

#define PSEUDONYM "px4q7"
#define SHIFT (-31)

extern const uint8_t deid_test_key[DEID_UID_KEY_SIZE];

/* The three encodings. */
#define SYNTAX_COUNT 3
const struct dcm_syntax *deid_test_syntax(size_t index);

struct doc {
	const struct dcm_syntax *syntax;
	struct buf in;
	struct buf out;
	struct dcm_writer w; /* into `in` */
	struct deid_end end;
	struct cairn_error err;
	char text[2048];
};

void doc_init(struct doc *doc, const struct dcm_syntax *syntax);
void doc_fini(struct doc *doc);
void doc_put(struct doc *doc, uint32_t tag, const char *vr, const char *text);
void doc_open(struct doc *doc, uint32_t tag); /* a sequence and its first item */
void doc_next(struct doc *doc);               /* the next item */
void doc_close(struct doc *doc);

struct deid_profile *deid_test_profile(unsigned options);
/* Rewrites `in` to `out`; the test fails when that fails. */
void doc_run(struct doc *doc, struct deid_profile *profile);
void doc_run_with(struct doc *doc, unsigned options);

/* The text of the element at a path in `out` ("00400275[0].00080050"), NULL when there is none.  A
 * sequence's text is "SQ".  Valid until the next call. */
const char *doc_text(struct doc *doc, const char *path);
const char *doc_vr(struct doc *doc, const char *path);

/* Whether the bytes are anywhere in `out`. */
bool doc_contains(const struct doc *doc, const char *text);

#endif
