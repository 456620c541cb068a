/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, mappings, units and values, each by itself. */
#include "base/test.h"

#include "mapping.h"
#include "take.h"
#include "ucum.h"
#include "utf8.h"
#include "words.h"

/* ---- rows
 * ------------------------------------------------------------------------------------------- */

struct bytes {
	const char *at;
	size_t left, step; /* given at once */
};

static int
read_bytes(void *arg, uint8_t *bytes, size_t size, size_t *ret_length, struct cairn_error *err)
{
	struct bytes *from = arg;
	size_t length = from->left < from->step ? from->left : from->step;

	(void)err;
	length = length < size ? length : size;
	memcpy(bytes, from->at, length);
	from->at += length;
	from->left -= length;
	*ret_length = length;
	return 0;
}

/* "a|b\nc|d\n" of all rows, or what is wrong; the same in whatever pieces it comes. */
static void
rows(const char *text, bool latin, char *ret, size_t size, size_t step)
{
	struct bytes from = {text, strlen(text), step};
	struct csv *csv = malloc(sizeof *csv);
	struct row *row = malloc(sizeof *row);
	struct cairn_error err = {0};
	size_t used = 0;
	int code;

	csv_init(csv, read_bytes, &from, ',', latin);
	ret[0] = 0;
	while ((code = csv_next(csv, row, &err)) == 0) {
		for (size_t i = 0; i < row->count; i++)
			used += (size_t)snprintf(
			    ret + used, size - used, "%s%s", i == 0 ? "" : "|", row->cells[i].text);
		used += (size_t)snprintf(ret + used, size - used, "\n");
	}
	if (code != CAIRN_ENOTFOUND)
		snprintf(ret + used, size - used, "%s", err.text);
	csv_fini(csv);
	free(csv);
	free(row);
}

static void
assert_rows(const char *text, const char *expected)
{
	char found[1024];

	for (size_t step = 1; step < 9; step++) {
		rows(text, false, found, sizeof found, step);
		assert_string_equal(found, expected);
	}
	rows(text, false, found, sizeof found, 65536);
	assert_string_equal(found, expected);
}

static void
quotes_breaks_and_ends_are_as_rfc_4180_has_them(void **state)
{
	(void)state;
	assert_rows("a,b\r\nc,d\r\n", "a|b\nc|d\n");
	assert_rows("a,b\nc,d", "a|b\nc|d\n");
	assert_rows("\"a\"\"b\",\"c\nd\"\n\"e,f\",\n", "a\"b|c\nd\ne,f|\n");
	assert_rows("", "");
	assert_rows("\n", "\n");
}

static void
what_is_no_csv_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_rows("a\nb\"c\n",
	    "a\nline 2: a quote inside a cell that does not begin with one; put the cell in quotes "
	    "and double those inside");
	assert_rows("a\n\"b\"c\n", "a\nline 2: text behind a cell's closing quote");
	assert_rows("a\n\"b\n\n\n", "a\nline 2: a cell's quote is opened and never closed");
	assert_rows("a\rb\n", "line 1: a carriage return that no line feed follows");
	assert_rows("\xff\n",
	    "line 1: the text is no UTF-8; save it as UTF-8 or say `encoding: windows-1252`");
}

static void
a_byte_order_mark_is_passed_over(void **state)
{
	char found[64];

	(void)state;
	rows("\xef\xbb\xbf"
	     "a,b\n",
	    false, found, sizeof found, 65536);
	assert_string_equal(found, "a|b\n");
}

static void
windows_1252_becomes_utf8(void **state)
{
	char found[64];

	(void)state;
	rows("m\xe4nnlich,\x80\n", true, found, sizeof found, 65536);
	assert_string_equal(found, "m\xc3\xa4nnlich|\xe2\x82\xac\n");
}

/* ---- units, words
 * ------------------------------------------------------------------------------------- */

static void
units_that_measure_the_same_are_converted(void **state)
{
	double factor = 0;

	(void)state;
	assert_true(ucum_factor("ug/L", "ng/mL", &factor));
	assert_true(factor > 0.999999 && factor < 1.000001);
	assert_true(ucum_factor("mg/dL", "ng/mL", &factor));
	assert_true(factor > 9999.9 && factor < 10000.1);
	assert_true(ucum_factor("mo", "a", &factor));
	assert_true(factor > 0.0833 && factor < 0.0834);
	assert_true(ucum_factor("1", "%", &factor));
	assert_true(factor > 99.9 && factor < 100.1);
	assert_false(ucum_factor("mg", "ng/mL", &factor));
	assert_false(ucum_factor("U/L", "ng/mL", &factor));
	assert_false(ucum_factor("furlong", "m", &factor));
}

static void
column_names_of_six_languages_are_known(void **state)
{
	(void)state;
	assert_string_equal(words_find("Patient_ID"), "patient");
	assert_string_equal(words_find("Geschlecht"), "sex");
	assert_string_equal(words_find("Fecha de nacimiento"), "birth_date");
	assert_string_equal(words_find("Latéralité"), "laterality");
	assert_string_equal(words_find("Nachname"), "-");
	assert_null(words_find("zzz"));
	assert_string_equal(words_code("sex", "Männlich"), "male");
}

/* ---- mappings
 * ------------------------------------------------------------------------------------------ */

#define HEAD "table: t\npatient: {column: id}\nfacts:\n"

static void
assert_refused(const char *text, const char *expected)
{
	struct mapping *mapping = NULL;
	struct cairn_error err = {0};

	assert_int_equal(mapping_parse(&mapping, "m.yaml", text, strlen(text), &err), CAIRN_EINVAL);
	assert_string_equal(err.text, expected);
}

static void
a_mapping_is_refused_with_line_and_what_was_meant(void **state)
{
	(void)state;
	assert_refused(HEAD "  - {attribute: sexx, column: s}\n",
	    "m.yaml:4: unknown attribute 'sexx'; did you mean 'sex'?; see: cairn cohort fields");
	assert_refused(HEAD "  - {atribute: sex, column: s}\n",
	    "m.yaml:4: unknown key 'atribute' in a fact; did you mean 'attribute'?");
	assert_refused(HEAD "  - {attribute: birth_date, column: b}\n",
	    "m.yaml:4: 'birth_date' is a date: say how it is written (date: DD.MM.YYYY); it is "
	    "never "
	    "guessed");
	assert_refused(HEAD "  - {attribute: sex, column: s, codes: {m: mail}}\n",
	    "m.yaml:4: 'sex' cannot be 'mail'; did you mean 'male'?; see: cairn cohort fields sex");
	assert_refused(HEAD "  - {attribute: psa, column: p}\n",
	    "m.yaml:4: 'psa' belongs to the entity observation and not to patient");
	assert_refused("patient: {column: id}\n",
	    "m.yaml:1: the table needs a name (table: breast-registry); another file of that name "
	    "replaces it");
	assert_refused(
	    "table: t\ntable: u\n", "m.yaml:2: the key 'table' is there twice in the mapping");
}

static void
a_recursive_alias_ends(void **state)
{
	static const char text[] = "table: t\npatient: &a {column: *a}\n";
	struct mapping *mapping = NULL;
	struct cairn_error err = {0};

	(void)state;
	assert_int_not_equal(mapping_parse(&mapping, "m", text, strlen(text), &err), 0);
}

/* ---- facts
 * ---------------------------------------------------------------------------------------------- */

static void
dates_are_shifted_and_ages_are_of_the_true_ones(void **state)
{
	static const char text[] =
	    "table: t\npatient: {column: id}\nfacts:\n"
	    "  - {attribute: birth_date, column: b, date: YYYY-MM-DD}\n"
	    "entries:\n  - kind: condition\n    facts:\n"
	    "      - {attribute: diagnosis_date, column: d, date: YYYY-MM-DD}\n";
	struct table table = {0};
	struct report *report = calloc(1, sizeof *report);
	struct row *row = calloc(1, sizeof *row);
	struct taken *taken = NULL;
	struct cairn_error err = {0};
	Cairn__PatientFacts *facts;

	(void)state;
	assert_ok(mapping_parse(&table.mapping, "m", text, strlen(text), &err), &err);
	row->count = 3;
	row->cells[0] = (struct row_cell){"id", 2, false};
	row->cells[1] = (struct row_cell){"b", 1, false};
	row->cells[2] = (struct row_cell){"d", 1, false};
	assert_ok(table_header(&table, row, &err), &err);
	row->cells[0] = (struct row_cell){"P1", 2, false};
	row->cells[1] = (struct row_cell){"1970-01-11", 10, false};
	row->cells[2] = (struct row_cell){"2020-01-10", 10, false};
	assert_int_equal(take_row(&table, row, report, &taken), 0);
	facts = taken_facts(taken, "t", "pseudonym", -20);
	assert_int_equal(facts->facts[0]->day, 10 - 20);
	assert_int_equal(facts->n_entries, 1);
	assert_int_equal(facts->entries[0]->n_facts, 3);
	assert_string_equal(facts->entries[0]->facts[1]->attribute, "year_of_diagnosis");
	assert_int_equal((int)facts->entries[0]->facts[1]->number, 2019);
	assert_int_equal((int)facts->entries[0]->facts[2]->number, 49);
	cairn__patient_facts__free_unpacked(facts, NULL);
	taken_free(taken);
	table_fini(&table);
	report_fini(report);
	free(report);
	free(row);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quotes_breaks_and_ends_are_as_rfc_4180_has_them),
	    cmocka_unit_test(what_is_no_csv_is_refused_with_its_line),
	    cmocka_unit_test(a_byte_order_mark_is_passed_over),
	    cmocka_unit_test(windows_1252_becomes_utf8),
	    cmocka_unit_test(units_that_measure_the_same_are_converted),
	    cmocka_unit_test(column_names_of_six_languages_are_known),
	    cmocka_unit_test(a_mapping_is_refused_with_line_and_what_was_meant),
	    cmocka_unit_test(a_recursive_alias_ends),
	    cmocka_unit_test(dates_are_shifted_and_ages_are_of_the_true_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
