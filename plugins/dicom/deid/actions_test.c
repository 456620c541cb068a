/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of the table, in every encoding, at the top and four levels deep, under the Basic
 * Profile and under each option: what comes out is what the row's letters ask for.  The
 * expectations are made from the letters here, not by the code under test.
 */
#include "deid/profile.h"
#include "deid/testing.h"

#define MARKER "MARKER7Q"
#define DEPTH 4

static uint16_t
vr_of(const struct deid_row *row)
{
	const struct dcm_entry *entry = dcm_dict_find(row->tag);

	assert_non_null(entry);
	return entry->vr;
}

static const char *
marker_of(uint16_t vr)
{
	switch (vr) {
	case DCM_VR('D', 'A'):
		return "20010203";
	case DCM_VR('D', 'T'):
		return "20010203101112.5+0100";
	case DCM_VR('T', 'M'):
		return "101112.25";
	case DCM_VR('A', 'S'):
		return "045Y";
	case DCM_VR('D', 'S'):
		return "1234.5";
	case DCM_VR('I', 'S'):
		return "123456";
	case DCM_VR('U', 'I'):
		return "1.2.3.456789.20010203";
	case DCM_VR('U', 'S'):
		return "q7";
	default:
		return MARKER;
	}
}

static void
put_row(struct doc *doc, uint32_t tag, uint16_t vr)
{
	if (vr != DCM_VR('S', 'Q')) {
		assert_int_equal(dcm_put_text(&doc->w, tag, vr, marker_of(vr)), 0);
		return;
	}
	doc_open(doc, tag);
	doc_put(doc, 0x00080070, "LO", MARKER);
	doc_close(doc);
}

/* One element in a data set that is nothing else, `depth` private-free sequences down. */
static void
build(struct doc *doc, const struct dcm_syntax *syntax, const struct deid_row *row, int depth,
    char path[256])
{
	path[0] = 0;
	doc_init(doc, syntax);
	for (int i = 0; i < depth; i++) {
		doc_open(doc, 0x00089215); /* Derivation Code Sequence: in no table */
		snprintf(path + strlen(path), 256 - strlen(path), "00089215[0].");
	}
	put_row(doc, row->tag, vr_of(row));
	for (int i = 0; i < depth; i++)
		doc_close(doc);
	snprintf(path + strlen(path), 256 - strlen(path), "%08X", row->tag);
}

static bool
is_handled_apart(uint32_t tag)
{
	return DCM_GROUP(tag) < 8 || tag == 0x00100010 || tag == 0x00100020;
}

static const char *
expected_basic(const struct deid_row *row, uint16_t vr)
{
	bool sequence = vr == DCM_VR('S', 'Q');

	switch (row->basic) {
	case DEID_BASIC_X:
		return "X";
	case DEID_BASIC_Z:
	case DEID_BASIC_XZ:
		return "Z";
	case DEID_BASIC_D:
	case DEID_BASIC_ZD:
		return vr == DCM_VR('U', 'I') ? "U" : "D";
	case DEID_BASIC_XD:
		return sequence ? "X" : "D";
	case DEID_BASIC_XZD:
		return sequence ? "Z" : "D";
	case DEID_BASIC_U:
		return "U";
	default:
		return "K";
	}
}

static const char *
expected(const struct deid_row *row, uint16_t vr, unsigned option)
{
	if ((row->keep & option) != 0)
		return "K";
	if (option == DEID_MODIFIED_DATES && (row->clean & option) != 0) {
		if (vr == DCM_VR('T', 'M'))
			return "K";
		if (vr == DCM_VR('D', 'A') || vr == DCM_VR('D', 'T'))
			return "shift";
	}
	if ((row->clean & option) != 0 && vr == DCM_VR('S', 'Q') &&
	    option != DEID_PATIENT_CHARACTERISTICS)
		return "clean";
	return expected_basic(row, vr);
}

static void
check(struct doc *doc, const char *path, uint16_t vr, const char *act)
{
	const char *text = doc_text(doc, path);
	bool sequence = vr == DCM_VR('S', 'Q');
	/* A text of two digits is found anywhere. */
	bool marked = doc_contains(doc, sequence ? MARKER : marker_of(vr));

	if (strcmp(act, "X") == 0) {
		assert_null(text);
		assert_false(marked && vr != DCM_VR('U', 'S'));
		return;
	}
	assert_non_null(text);
	assert_true(marked == (strcmp(act, "K") == 0) || vr == DCM_VR('U', 'S'));
	if (strcmp(act, "K") == 0)
		assert_string_equal(text, sequence ? "SQ" : marker_of(vr));
	else if (strcmp(act, "U") == 0)
		assert_memory_equal(text, "2.25.", 5);
	else if (strcmp(act, "Z") == 0)
		assert_string_equal(text, sequence ? "SQ" : "");
	else if (strcmp(act, "shift") == 0)
		assert_string_equal(
		    text, vr == DCM_VR('D', 'A') ? "20010103" : "20010103101112.5+0100");
	else if (strcmp(act, "D") == 0 && dcm_vr_is_text(vr))
		assert_true(text[0] != 0);
}

static void
check_row(const struct deid_row *row, unsigned option, struct deid_profile *profile)
{
	char path[256];

	for (size_t s = 0; s < SYNTAX_COUNT; s++) {
		for (int depth = 0; depth <= DEPTH; depth += DEPTH) {
			struct doc doc;
			uint16_t vr = vr_of(row);

			build(&doc, deid_test_syntax(s), row, depth, path);
			doc_run(&doc, profile);
			check(&doc, path, vr, expected(row, vr, option));
			doc_fini(&doc);
		}
	}
}

static void
check_all(unsigned option)
{
	struct deid_profile *profile = deid_test_profile(option);

	for (size_t i = 0; i < deid_rows_count; i++)
		if (deid_rows[i].mask == 0xffffffffu && !is_handled_apart(deid_rows[i].tag))
			check_row(&deid_rows[i], option, profile);
	deid_profile_free(profile);
}

static void
every_row_obeys_the_basic_profile(void **state)
{
	(void)state;
	check_all(0);
}

static void
every_row_obeys_each_option(void **state)
{
	(void)state;
	for (size_t i = 0; deid_option_at(i) != NULL; i++)
		check_all(deid_option_find(deid_option_at(i)));
}

/* ---- every VR --------------------------------------------------------------------------- */

static void
assert_dummy(const struct dcm_syntax *syntax, uint32_t tag, const char *vr, const char *value,
    const char *dummy)
{
	struct doc doc;
	char path[16];

	snprintf(path, sizeof path, "%08X", tag);
	doc_init(&doc, syntax);
	doc_put(&doc, tag, vr, value);
	doc_run_with(&doc, 0);
	assert_string_equal(doc_text(&doc, path), dummy);
	if (syntax->explicit_vr)
		assert_string_equal(doc_vr(&doc, path), vr);
	doc_fini(&doc);
}

/* The Hanging Protocol's selector values are D and have one attribute for each VR. */
static void
dummies_are_what_their_vr_allows(void **state)
{
	(void)state;
	for (size_t s = 0; s < SYNTAX_COUNT; s++) {
		const struct dcm_syntax *syntax = deid_test_syntax(s);

		assert_dummy(syntax, 0x0072005e, "AE", "STATION", "REMOVED");
		assert_dummy(syntax, 0x0072005f, "AS", "045Y", "000Y");
		assert_dummy(syntax, 0x00720061, "DA", "20010203", "19000101");
		assert_dummy(syntax, 0x00720063, "DT", "20010203", "19000101000000");
		assert_dummy(syntax, 0x00720065, "OB", "secret", "");
		assert_dummy(syntax, 0x00720066, "LO", "secret", "REMOVED");
		assert_dummy(syntax, 0x00720068, "LT", "secret", "REMOVED");
		assert_dummy(syntax, 0x0072006a, "PN", "A^B", "REMOVED");
		assert_dummy(syntax, 0x0072006b, "TM", "1011", "000000");
		assert_dummy(syntax, 0x0072006c, "SH", "secret", "REMOVED");
		assert_dummy(syntax, 0x0072006d, "UN", "secret", "");
		assert_dummy(syntax, 0x0072006e, "ST", "secret", "REMOVED");
		assert_dummy(syntax, 0x0072006f, "UC", "secret", "REMOVED");
		assert_dummy(syntax, 0x00720070, "UT", "secret", "REMOVED");
		assert_dummy(syntax, 0x00720071, "UR", "secret", "REMOVED");
	}
}

/* Beside the tables: by VR, whatever the attribute. */
static void
unlisted_attributes_go_by_their_vr(void **state)
{
	static const struct {
		uint32_t tag;
		const char *vr, *value, *expected;
	} cases[] = {
	    {0x00140104, "PN", "Doe^Jane", "REMOVED"},
	    {0x00140102, "DA", "20010203", ""},
	    {0x00140103, "TM", "101112", ""},
	    {0x00080404, "DT", "20010203", ""},
	    {0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2"},
	    {0x00080016, "UI", "1.3.12.2.1107.5.9.1", "1.3.12.2.1107.5.9.1"},
	    {0x00400556, "ST", "Doe, CT of the chest", "CT of the chest"},
	    {0x00080070, "LO", "ACME", "ACME"},
	    {0x00080060, "CS", "CT", "CT"},
	    {0x00180050, "DS", "1.25", "1.25"},
	    {0x00081190, "UR", "http://pacs.example/doe", NULL},
	    {0x00100034, "LO", "Heisei 3", NULL},
	    {0x00080101, "UT", "nonsense", ""},
	    {0x00880001, "LO", "in no dictionary", NULL},
	    {0x40101051, "LO", "itinerary", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (size_t s = 1; s < SYNTAX_COUNT; s++) {
			struct doc doc;
			char path[16];

			snprintf(path, sizeof path, "%08X", cases[i].tag);
			doc_init(&doc, deid_test_syntax(s));
			doc_put(&doc, cases[i].tag, cases[i].vr, cases[i].value);
			doc_run_with(&doc, 0);
			if (cases[i].expected == NULL)
				assert_null(doc_text(&doc, path));
			else
				assert_string_equal(doc_text(&doc, path), cases[i].expected);
			doc_fini(&doc);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_obeys_the_basic_profile),
	    cmocka_unit_test(every_row_obeys_each_option),
	    cmocka_unit_test(dummies_are_what_their_vr_allows),
	    cmocka_unit_test(unlisted_attributes_go_by_their_vr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
