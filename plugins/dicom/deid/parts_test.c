/* SPDX-License-Identifier: Apache-2.0 */
/* Dates, ages, texts, UIDs and private blocks, each by itself. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/test.h"
#include "deid/clean.h"
#include "deid/dates.h"
#include "deid/private.h"
#include "deid/testing.h"
#include "deid/uid.h"

/* ---- dates ------------------------------------------------------------------------------ */

static void
assert_shift(const char *text, bool with_time, int32_t days, const char *expected)
{
	BUF_AUTO out = {.max = 1000};
	int code = deid_dates_shift(&out, (const uint8_t *)text, strlen(text), with_time, days);

	if (expected == NULL) {
		assert_int_equal(code, CAIRN_EINVAL);
		assert_int_equal(out.length, 0);
		return;
	}
	assert_int_equal(code, 0);
	assert_string_equal(buf_text(&out), expected);
}

static void
a_date_is_shifted_over_months_and_leap_days(void **state)
{
	(void)state;
	assert_shift("20240301", false, -1, "20240229");
	assert_shift("19991231", false, 1, "20000101");
	assert_shift("20240115", false, -365, "20230115");
}

static void
dates_before_the_epoch_are_shifted(void **state)
{
	(void)state;
	assert_shift("19691231", false, -365, "19681231");
	assert_shift("18980301", false, -1, "18980228");
}

static void
several_dates_and_ranges_keep_their_form(void **state)
{
	(void)state;
	assert_shift("19990101\\19990201", false, 1, "19990102\\19990202");
	assert_shift("19990101-19990201", false, 1, "19990102-19990202");
	assert_shift("-19990201", false, 1, "-19990202");
	assert_shift("19990101-", false, 1, "19990102-");
	assert_shift("\\19990101", false, 1, "\\19990102");
}

static void
an_old_dotted_date_becomes_a_plain_one(void **state)
{
	(void)state;
	assert_shift("1993.10.06", false, 1, "19931007");
	assert_shift("19931006 ", false, 1, "19931007");
}

static void
a_datetime_keeps_time_fraction_and_zone(void **state)
{
	(void)state;
	assert_shift("20200229235959.123456+0100", true, 366, "20210301235959.123456+0100");
	assert_shift("20200301-0500", true, -1, "20200229-0500");
	assert_shift("202003011200-0330", true, -1, "202002291200-0330");
	assert_shift("20200301120000.5", true, 0, "20200301120000.5");
}

static void
a_partial_datetime_keeps_its_precision(void **state)
{
	(void)state;
	assert_shift("2020", true, -1, "2019");
	assert_shift("202003", true, -1, "202002");
	assert_shift("2019-2021", true, -1, "2018-2020");
}

static void
what_is_no_date_is_refused(void **state)
{
	(void)state;
	assert_shift("20230229", false, 1, NULL);
	assert_shift("199901", false, 1, NULL);
	assert_shift("JAN 5 1999", false, 1, NULL);
	assert_shift("19990101x", false, 1, NULL);
	assert_shift("19990101\\John", false, 1, NULL);
	assert_shift("00010101", false, -1, NULL);
	assert_shift("99991231", false, 1, NULL);
	assert_shift("202001015", true, 1, NULL);
}

static void
ages_above_89_are_90(void **state)
{
	char age[5];

	(void)state;
	assert_true(deid_age_cap((const uint8_t *)"089Y", 4, age));
	assert_string_equal(age, "089Y");
	assert_true(deid_age_cap((const uint8_t *)"101Y", 4, age));
	assert_string_equal(age, "090Y");
	assert_true(deid_age_cap((const uint8_t *)"999M", 4, age));
	assert_string_equal(age, "999M");
	assert_false(deid_age_cap((const uint8_t *)"old!", 4, age));
	assert_false(deid_age_cap((const uint8_t *)"104", 3, age));
}

/* ---- texts ------------------------------------------------------------------------------ */

static void
assert_clean(const char *text, bool several, const char *expected)
{
	BUF_AUTO out = {.max = 1000};

	assert_int_equal(deid_clean(&out, (const uint8_t *)text, strlen(text), several), 0);
	assert_string_equal(buf_text(&out), expected);
}

static void
technical_words_survive_cleaning(void **state)
{
	(void)state;
	assert_clean("CT CHEST W/O CONTRAST", false, "CT CHEST W CONTRAST");
	assert_clean("AX_T2_FLAIR 5mm", false, "AX T2 FLAIR 5mm");
	assert_clean("MR Brain, 3.0T with Gadolinium", false, "MR Brain 3.0T with Gadolinium");
	assert_clean("slices of 1.25 mm and 120 kV", false, "slices of 1.25 mm and 120 kV");
}

static void
names_numbers_and_dates_do_not_survive_cleaning(void **state)
{
	(void)state;
	assert_clean("Chest CT for Douglas Davidson", false, "Chest CT for");
	assert_clean("MRN 123-45-678 DOB 02/17/1953", false, "");
	assert_clean("call 555 1234 about Smith^John", false, "");
	assert_clean("Knee 5 Mar 2020", false, "Knee");
	assert_clean("JohnSmithChest", false, "");
	assert_clean("head123456789", false, "");
	assert_clean("12345 mm", false, "mm");
	assert_clean("J. R. Miller", false, "R");
}

static void
letters_of_other_scripts_do_not_survive_cleaning(void **state)
{
	(void)state;
	assert_clean("Sch\xc3\xa4"
		     "del CT",
	    false, "CT");
	assert_clean("Head\xe9 Neck", false, "Neck");
	/* In ISO 2022 the bytes after an escape are kanji, whatever letters they look like. */
	assert_clean("\x1b$BHEAD\x1b(B CT", false, "");
	assert_clean("CT\\\x1b$Bhead\x1b(B", true, "CT\\");
}

static void
values_are_cleaned_one_by_one(void **state)
{
	(void)state;
	assert_clean("CHEST Jones\\ABDOMEN", true, "CHEST\\ABDOMEN");
	assert_clean("Jones\\Smith", true, "");
	assert_clean("a\\b", false, "");
}

static void
usual_names_are_not_on_the_list(void **state)
{
	static const char *const names[] = {"james", "mary", "robert", "john", "patricia",
	    "michael", "jennifer", "david", "linda", "william", "elizabeth", "richard", "barbara",
	    "joseph", "susan", "thomas", "jessica", "charles", "sarah", "karen", "daniel", "nancy",
	    "lisa", "mark", "sandra", "paul", "ashley", "steven", "kim", "andrew", "donna", "grace",
	    "iris", "rose", "may", "april", "june", "august", "ray", "art", "pat", "dan", "will",
	    "bill", "grant", "dean", "lee", "max", "ben", "eva", "ana", "maria", "jose", "juan",
	    "ali", "smith", "johnson", "williams", "brown", "jones", "garcia", "miller", "davis",
	    "martin", "wilson", "anderson", "taylor", "moore", "jackson", "white", "harris",
	    "thompson", "young", "king", "wright", "hill", "green", "baker", "hall", "carter",
	    "page", "gray", "black", "long", "short", "small", "wood", "stone", "cook", "bell",
	    "cox", "ward", "price", "ross", "foster", "fields", "field", "cross", "day", "dixon",
	    "waters", "towne", "sharp", "muller", "schmidt", "schneider", "fischer", "weber",
	    "meyer", "wagner", "becker", "rossi", "russo", "ferrari", "esposito", "silva", "santos",
	    "lopez", "perez", "ruiz", "nguyen", "tran", "wang", "li", "zhang", "chen", "liu",
	    "yang", "huang", "chin", "park", "choi", "sato", "suzuki", "ito", "kumar", "singh",
	    "patel", "shah", "khan", "ivanov", "novak", "kowalski", "jansen", "visser", "bakker",
	    "hansen", "larsen", "berg", "temple", "best", "little", "rice", "fox", "wolf", "bush",
	    "case", "stern", "sanders", "low"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_clean(names[i], false, "");
}

static void
the_list_is_in_order(void **state)
{
	(void)state;
	for (size_t i = 1; i < deid_words_count; i++)
		assert_true(strcmp(deid_words[i - 1], deid_words[i]) < 0);
}

/* ---- UIDs ------------------------------------------------------------------------------- */

/* The definition, digit by digit: HMAC(HMAC(key, project), uid), 128 bits, base 10. */
static void
expected_uid(const char *uid, char ret[64])
{
	uint8_t key[32], mac[32];
	char digits[40];
	size_t count = 0;

	HMAC(EVP_sha256(), deid_test_key, 32, (const uint8_t *)"tests", 5, key, NULL);
	HMAC(EVP_sha256(), key, 32, (const uint8_t *)uid, strlen(uid), mac, NULL);
	for (;;) {
		unsigned rest = 0;
		bool zero = true;

		for (size_t i = 0; i < 16; i++) {
			unsigned value = rest << 8 | mac[i];

			mac[i] = (uint8_t)(value / 10);
			rest = value % 10;
			zero = zero && mac[i] == 0;
		}
		digits[count++] = (char)('0' + rest);
		if (zero)
			break;
	}
	memcpy(ret, "2.25.", 5);
	for (size_t i = 0; i < count; i++)
		ret[5 + i] = digits[count - 1 - i];
	ret[5 + count] = 0;
}

static void
new_uids_are_the_hmac_in_decimal(void **state)
{
	struct deid_uids *uids = NULL;

	(void)state;
	assert_int_equal(deid_uids_new(&uids, deid_test_key, "tests", NULL), 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2000; i++) {
			char uid[32], text[DEID_UID_TEXT_MAX], expected[64];

			snprintf(uid, sizeof uid, "1.2.3.%d", i);
			expected_uid(uid, expected);
			assert_int_equal(
			    deid_uids_map(uids, (const uint8_t *)uid, strlen(uid), text), 0);
			assert_string_equal(text, expected);
		}
	}
	deid_uids_free(uids);
}

static void
another_project_gives_another_uid(void **state)
{
	struct deid_uids *one = NULL, *two = NULL;
	char a[DEID_UID_TEXT_MAX], b[DEID_UID_TEXT_MAX];

	(void)state;
	assert_int_equal(deid_uids_new(&one, deid_test_key, "one", NULL), 0);
	assert_int_equal(deid_uids_new(&two, deid_test_key, "two", NULL), 0);
	assert_int_equal(deid_uids_map(one, (const uint8_t *)"1.2", 3, a), 0);
	assert_int_equal(deid_uids_map(two, (const uint8_t *)"1.2", 3, b), 0);
	assert_string_not_equal(a, b);
	deid_uids_free(one);
	deid_uids_free(two);
}

static bool
well_known(const char *uid)
{
	return deid_uid_is_well_known((const uint8_t *)uid, strlen(uid));
}

static void
only_the_standards_own_uids_are_well_known(void **state)
{
	(void)state;
	assert_true(well_known("1.2.840.10008.1.2.4.90"));
	assert_true(well_known("1.2.840.10008.5.1.4.1.1.77.1.5.4"));
	assert_true(well_known("1.2.840.10008.6.1.1382"));
	assert_false(well_known("1.2.840.10008."));
	assert_false(well_known("1.2.840.100080.1"));
	assert_false(well_known("1.2.840.10008.1.2.20230115"));
	assert_false(well_known("1.2.840.10008.5.1.4.1.1.2.JONES"));
	assert_false(well_known("1.2.840.113619.2.55.3"));
}

/* ---- private blocks --------------------------------------------------------------------- */

static void
a_safe_element_needs_its_creators_block(void **state)
{
	struct deid_safe_list list;
	struct deid_blocks blocks = {0};
	const char *texts[] = {"ACME 1.1:0029,xx10"};

	(void)state;
	assert_int_equal(deid_safe_list_make(&list, texts, 1, NULL), 0);
	assert_false(deid_blocks_safe(&blocks, &list, 0x00291010));
	assert_true(
	    deid_blocks_reserve(&blocks, &list, 0x00290010, (const uint8_t *)"ACME 1.1 ", 9));
	assert_true(deid_blocks_safe(&blocks, &list, 0x00291010));
	assert_false(deid_blocks_safe(&blocks, &list, 0x00291011));
	assert_false(deid_blocks_safe(&blocks, &list, 0x00291110));
	assert_false(deid_blocks_safe(&blocks, &list, 0x002b1010));
	assert_false(deid_blocks_reserve(&blocks, &list, 0x00290010, (const uint8_t *)"OTHER", 5));
	assert_false(deid_blocks_safe(&blocks, &list, 0x00291010));
	deid_safe_list_fini(&list);
}

static void
a_misspelt_safe_attribute_is_refused(void **state)
{
	static const char *const bad[] = {"ACME", "ACME:0029", "ACME:0028,xx10", ":0029,xx10",
	    "ACME:0029,1010", "ACME:00zz,xx10", "ACME:0029,xx1", "ACME:0001,xx10"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct deid_safe_list list;
		struct cairn_error err = {0};

		assert_int_equal(deid_safe_list_make(&list, &bad[i], 1, &err), CAIRN_EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_date_is_shifted_over_months_and_leap_days),
	    cmocka_unit_test(dates_before_the_epoch_are_shifted),
	    cmocka_unit_test(several_dates_and_ranges_keep_their_form),
	    cmocka_unit_test(an_old_dotted_date_becomes_a_plain_one),
	    cmocka_unit_test(a_datetime_keeps_time_fraction_and_zone),
	    cmocka_unit_test(a_partial_datetime_keeps_its_precision),
	    cmocka_unit_test(what_is_no_date_is_refused),
	    cmocka_unit_test(ages_above_89_are_90),
	    cmocka_unit_test(technical_words_survive_cleaning),
	    cmocka_unit_test(names_numbers_and_dates_do_not_survive_cleaning),
	    cmocka_unit_test(letters_of_other_scripts_do_not_survive_cleaning),
	    cmocka_unit_test(values_are_cleaned_one_by_one),
	    cmocka_unit_test(usual_names_are_not_on_the_list),
	    cmocka_unit_test(the_list_is_in_order),
	    cmocka_unit_test(new_uids_are_the_hmac_in_decimal),
	    cmocka_unit_test(another_project_gives_another_uid),
	    cmocka_unit_test(only_the_standards_own_uids_are_well_known),
	    cmocka_unit_test(a_safe_element_needs_its_creators_block),
	    cmocka_unit_test(a_misspelt_safe_attribute_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
