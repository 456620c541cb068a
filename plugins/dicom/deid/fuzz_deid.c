/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a header: two bytes of options, one for the encoding, then the data set.  What is
 * rewritten must be a data set again, say whose it is, and be rewritten once more without
 * complaint.
 */
#include <stdlib.h>
#include <string.h>

#include "deid/deid.h"
#include "deid/facts.h"
#include "dicom/reader.h"

static const struct deid_patient patient = {"fuzz7", -77};

static void
check(bool holds)
{
	if (!holds)
		abort();
}

/* Reads all of it, and finds the pseudonym. */
static void
must_be_a_data_set(const struct buf *out, const struct dcm_syntax *syntax)
{
	struct dcm_reader reader;
	struct dcm_token token;
	bool named = false;

	dcm_reader_init(&reader, syntax, 0);
	do {
		check(dcm_reader_next(&reader, out->data, out->length, true, &token, NULL) == 0);
		if (token.kind == DCM_ELEMENT && token.depth == 0 && token.tag == 0x00100020)
			named = token.length >= 5 &&
			    memcmp(out->data + token.value_offset, "fuzz7", 5) == 0;
	} while (token.kind != DCM_END);
	check(named);
}

static void
rewrite(struct deid_profile *profile, const struct deid_input *input)
{
	BUF_AUTO out = {.max = 1 << 24}, again = {.max = 1 << 24}, trailer = {.max = 1 << 24};
	struct deid_end end;
	struct deid_input second;

	(void)deid_trailer(profile, &patient, input, &trailer, NULL);
	if (deid_header(profile, &patient, input, &out, &end, NULL) != 0) {
		check(out.length == 0);
		return;
	}
	check(end.offset <= input->length && end.value_offset <= input->length);
	must_be_a_data_set(&out, end.syntax);
	second = (struct deid_input){end.syntax, out.data, out.length};
	check(deid_header(profile, &patient, &second, &again, &end, NULL) == 0);
	must_be_a_data_set(&again, end.syntax);
}

static void
scan(struct deid_profile *profile, const struct deid_input *input)
{
	struct deid_scan found;
	struct deid_facts facts = {0};

	if (deid_scan(input, &found, NULL) != 0)
		return;
	(void)deid_supported(found.sop_class, NULL);
	(void)deid_pixel_risk(&found, NULL);
	if (deid_facts(profile, &found, &patient, &facts, NULL) == 0)
		check(cairn__instance_facts__get_packed_size(&facts.message) < 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static const uint8_t key[DEID_UID_KEY_SIZE] = "fuzz";
	static const char *const syntaxes[] = {DCM_IMPLICIT_LE, DCM_EXPLICIT_LE, DCM_EXPLICIT_BE};
	struct deid_config config = {.uid_key = key, .project = "fuzz"};
	struct deid_profile *profile;
	struct deid_input input;

	if (length < 3)
		return 0;
	config.options = (unsigned)(data[0] | (data[1] & 3) << 8);
	if ((config.options & DEID_FULL_DATES) != 0)
		config.options &= ~(unsigned)DEID_MODIFIED_DATES;
	if (deid_profile_new(&profile, &config, NULL) != 0)
		return 0;
	input = (struct deid_input){dcm_syntax_find(syntaxes[data[2] % 3]), data + 3, length - 3};
	rewrite(profile, &input);
	scan(profile, &input);
	deid_profile_free(profile);
	return 0;
}
