/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/identity.h"

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/test.h"
#include "base/text.h"
#include "identity/sitekey.h"

#define FIXED_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

struct fixture {
	struct test_dir dir;
	char keys[128];
	struct identity *identity;
};

static void
path_of(const struct fixture *f, const char *name, char ret[256])
{
	assert_int_equal(file_join(ret, 256, f->keys, name), 0);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct cairn_error err = {0};
	char path[256];

	test_dir_make(&f->dir);
	assert_int_equal(file_join(f->keys, sizeof f->keys, f->dir.path, "keys"), 0);
	assert_ok(identity_create(f->keys, &err), &err);
	path_of(f, "pseudonym.key", path);
	assert_ok(file_write(path, FIXED_KEY, strlen(FIXED_KEY), 0600, &err), &err);
	assert_ok(identity_open(&f->identity, f->keys, &err), &err);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	identity_free(f->identity);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void
pseudonym(struct fixture *f, const char *const parts[4], char ret[IDENTITY_PSEUDONYM_MAX],
    int32_t *ret_shift)
{
	struct cairn_error err = {0};

	assert_ok(identity_pseudonym(
		      f->identity, parts[0], parts[1], parts[2], parts[3], ret, ret_shift, &err),
	    &err);
}

/*
 * The expected values come from Python's hmac, hashlib and base64:
 *   enc = b"\0".join(struct.pack(">I", len(p)) + p for p in (label, project, type, issuer, id))
 *   base64.b32encode(hmac.new(bytes(range(32)), enc, "sha256").digest()[:16]).lower().rstrip("=")
 *   shift = int.from_bytes(hmac(label "cairn.dateshift.v1")[:8], "big") % 730 - 365, +1 if >= 0
 */
static void
pseudonym_matches_an_independent_computation(void **state)
{
	char text[IDENTITY_PSEUDONYM_MAX];
	int32_t shift;

	pseudonym(
	    *state, (const char *const[]){"lung", "patient-id", "HOSP", "12345"}, text, &shift);
	assert_string_equal(text, "c3m5jz36vhm62ewxdzplu57ce4");
	assert_int_equal(shift, 19);
	pseudonym(
	    *state, (const char *const[]){"lung", "patient-id", "", "M\xc3\xbcller"}, text, &shift);
	assert_string_equal(text, "lvjmmkxfkuoz6kl3cm5dvmuroa");
	assert_int_equal(shift, -27);
}

/* HKDF (RFC 5869) by two HMACs in Python over the same encoding, label "cairn.subkey.v1". */
static void
subkey_matches_an_independent_computation(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	uint8_t key[32];
	char text[65];

	assert_ok(identity_subkey(f->identity, "lung", "uid", key, &err), &err);
	text_hex(key, sizeof key, text);
	assert_string_equal(
	    text, "2735347bc3dcb8a232d519ac00eabfcc41900b41698284ed0269e4be990ef1e6");
}

static void
pseudonyms_differ_by_every_part(void **state)
{
	/* The last two would meet if the parts were merely joined. */
	static const char *const inputs[][4] = {{"lung", "mrn", "HOSP", "1"},
	    {"breast", "mrn", "HOSP", "1"}, {"lung", "ssn", "HOSP", "1"},
	    {"lung", "mrn", "LAB", "1"}, {"lung", "mrn", "HOSP", "2"}, {"lun", "gmrn", "HOSP", "1"},
	    {"lung", "mrn", "HOS", "P1"}};
	enum { COUNT = sizeof inputs / sizeof inputs[0] };
	char texts[COUNT][IDENTITY_PSEUDONYM_MAX];

	for (size_t i = 0; i < COUNT; i++) {
		pseudonym(*state, inputs[i], texts[i], NULL);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(texts[i], texts[j]);
	}
}

static void
pseudonyms_are_the_same_after_a_restart(void **state)
{
	struct fixture *f = *state;
	const char *const parts[] = {"lung", "mrn", "", "77"};
	struct cairn_error err = {0};
	char before[IDENTITY_PSEUDONYM_MAX], after[IDENTITY_PSEUDONYM_MAX];
	int32_t shift_before, shift_after;

	pseudonym(f, parts, before, &shift_before);
	identity_free(f->identity);
	f->identity = NULL;
	assert_ok(identity_open(&f->identity, f->keys, &err), &err);
	pseudonym(f, parts, after, &shift_after);
	assert_string_equal(before, after);
	assert_int_equal(shift_before, shift_after);
}

/* 73,000 patients over 730 values: mean 100, so a bin outside 50..160 has a chance below 1e-6. */
static void
date_shifts_are_uniform_in_range_and_never_zero(void **state)
{
	unsigned bins[731] = {0};
	char id[16], text[IDENTITY_PSEUDONYM_MAX];
	int32_t shift;

	for (unsigned i = 0; i < 73000; i++) {
		snprintf(id, sizeof id, "%u", i);
		pseudonym(*state, (const char *const[]){"p", "mrn", "", id}, text, &shift);
		assert_in_range((uintmax_t)(shift + 365), 0, 730);
		bins[shift + 365]++;
	}
	assert_int_equal(bins[365], 0);
	for (size_t i = 0; i <= 730; i++)
		if (i != 365)
			assert_in_range(bins[i], 50, 160);
}

static void
an_absent_or_endless_identifier_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	char ret[IDENTITY_PSEUDONYM_MAX] = "untouched";
	char *endless = calloc(1, SITEKEY_PART_MAX + 2);

	memset(endless, 'x', SITEKEY_PART_MAX + 1);
	assert_int_equal(
	    identity_pseudonym(f->identity, "p", "mrn", "", "", ret, NULL, &err), CAIRN_EINVAL);
	assert_int_equal(identity_pseudonym(f->identity, "p", "mrn", "", endless, ret, NULL, &err),
	    CAIRN_ELIMIT);
	assert_string_equal(ret, "untouched");
	assert_null(strstr(err.text, "xxx"));
	free(endless);
}

static void
base32_matches_rfc_4648(void **state)
{
	static const char *const expected[] = {
	    "", "my", "mzxq", "mzxw6", "mzxw6yq", "mzxw6ytb", "mzxw6ytboi"};
	char text[17];

	(void)state;
	for (size_t i = 0; i <= 6; i++) {
		sitekey_base32((const uint8_t *)"foobar", i, text);
		assert_string_equal(text, expected[i]);
	}
}

static void
create_never_overwrites_a_key(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	BUF_AUTO before = {.max = 8192};
	BUF_AUTO after = {.max = 8192};
	char path[256];

	path_of(f, "node.key", path);
	assert_ok(file_read(path, &before, &err), &err);
	assert_int_equal(identity_create(f->keys, &err), CAIRN_EEXIST);
	assert_non_null(strstr(err.text, "never overwritten"));
	assert_ok(file_read(path, &after, &err), &err);
	assert_int_equal(before.length, after.length);
	assert_memory_equal(before.data, after.data, before.length);
}

static void
files_are_made_with_their_modes(void **state)
{
	static const struct {
		const char *name;
		unsigned mode;
	} expected[] = {
	    {"", 0700}, {"node.key", 0600}, {"node.pub", 0644}, {"pseudonym.key", 0600}};
	struct fixture *f = *state;
	char path[256];
	struct stat st;

	for (size_t i = 0; i < 4; i++) {
		path_of(f, expected[i].name, path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, expected[i].mode);
	}
}

/* Opens after `chmod mode name` and expects a refusal with `words`. */
static void
expect_refused(struct fixture *f, const char *name, mode_t mode, const char *words)
{
	struct identity *identity = NULL;
	struct cairn_error err = {0};
	char path[256];

	path_of(f, name, path);
	assert_int_equal(chmod(path, mode), 0);
	assert_int_equal(identity_open(&identity, f->keys, &err), CAIRN_EDENIED);
	assert_null(identity);
	assert_non_null(strstr(err.text, words));
	assert_non_null(strstr(err.text, f->keys));
}

static void
a_signing_key_that_others_can_read_is_refused(void **state)
{
	expect_refused(*state, "node.key", 0640, "chmod 600");
}

static void
a_site_key_that_others_can_read_is_refused(void **state)
{
	expect_refused(*state, "pseudonym.key", 0604, "chmod 600");
}

static void
a_directory_that_others_can_write_is_refused(void **state)
{
	expect_refused(*state, "", 0770, "chmod 700");
}

static void
expect_corrupt(struct fixture *f, const char *name, const char *text)
{
	struct identity *identity = NULL;
	struct cairn_error err = {0};
	char path[256];

	path_of(f, name, path);
	assert_ok(file_write(path, text, strlen(text), 0600, &err), &err);
	assert_int_equal(identity_open(&identity, f->keys, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, name));
}

static void
a_damaged_signing_key_is_refused(void **state)
{
	expect_corrupt(*state, "node.key", "-----BEGIN PRIVATE KEY-----\nMC4C\n");
}

static void
an_empty_public_key_is_refused(void **state)
{
	expect_corrupt(*state, "node.pub", "");
}

static void
a_short_site_key_is_refused(void **state)
{
	expect_corrupt(*state, "pseudonym.key", "0011\n");
}

static void
a_site_key_with_a_wrong_digit_is_refused(void **state)
{
	char text[] = FIXED_KEY;

	text[7] = 'g';
	expect_corrupt(*state, "pseudonym.key", text);
}

static void
a_public_key_of_another_node_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	BUF_AUTO other = {.max = 8192};
	char keys[128], path[256];

	assert_int_equal(file_join(keys, sizeof keys, f->dir.path, "other"), 0);
	assert_ok(identity_create(keys, &err), &err);
	assert_int_equal(file_join(path, sizeof path, keys, "node.pub"), 0);
	assert_ok(file_read(path, &other, &err), &err);
	expect_corrupt(f, "node.pub", buf_text(&other));
}

static void
missing_keys_say_where_to_get_them(void **state)
{
	struct fixture *f = *state;
	struct identity *identity = NULL;
	struct cairn_error err = {0};
	char path[256];

	path_of(f, "node.key", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(identity_open(&identity, f->keys, &err), CAIRN_ENOTFOUND);
	assert_non_null(strstr(err.text, "restore it from a backup"));
}

static void
a_lost_pseudonym_key_is_never_made_anew(void **state)
{
	struct fixture *f = *state;
	struct identity *identity = NULL;
	struct cairn_error err = {0};
	char path[256];

	path_of(f, "pseudonym.key", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(identity_open(&identity, f->keys, &err), CAIRN_ENOTFOUND);
	assert_non_null(strstr(err.text, "restore it from a backup and never make a new one"));
}

static void
the_public_key_verifies_what_the_private_key_signs(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	EVP_PKEY *public = NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[64];
	size_t length = sizeof signature;
	char one[64], two[64];

	assert_ok(identity_public_key(f->keys, &public, &err), &err);
	assert_int_equal(
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, identity_signing_key(f->identity)), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &length, (const uint8_t *)"x", 1), 1);
	EVP_MD_CTX_reset(ctx);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, public), 1);
	assert_int_equal(EVP_DigestVerify(ctx, signature, length, (const uint8_t *)"x", 1), 1);
	assert_int_equal(identity_fingerprint(public, one, sizeof one), 0);
	assert_int_equal(
	    identity_fingerprint(identity_signing_key(f->identity), two, sizeof two), 0);
	assert_string_equal(one, two);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(public);
}

/*
 * RFC 8410 10.1 gives this public key.  The digest is from
 *   openssl pkey -pubin -in key.pem -outform DER | openssl dgst -sha256 -binary | base64
 */
static void
fingerprint_matches_the_openssl_command(void **state)
{
	static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
				  "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
				  "-----END PUBLIC KEY-----\n";
	struct fixture *f = *state;
	struct cairn_error err = {0};
	EVP_PKEY *key = NULL;
	char path[256], text[64];

	path_of(f, "node.pub", path);
	assert_ok(file_write(path, pem, strlen(pem), 0644, &err), &err);
	assert_ok(identity_public_key(f->keys, &key, &err), &err);
	assert_int_equal(identity_fingerprint(key, text, sizeof text), 0);
	assert_string_equal(text, "SHA256:oekVYFTgT6yJmunydRMs3Ael28TqLCrTof/G4NJTaB8=");
	assert_int_equal(identity_fingerprint(key, text, 20), CAIRN_ELIMIT);
	EVP_PKEY_free(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(pseudonym_matches_an_independent_computation),
	    TEST(subkey_matches_an_independent_computation),
	    TEST(pseudonyms_differ_by_every_part),
	    TEST(pseudonyms_are_the_same_after_a_restart),
	    TEST(date_shifts_are_uniform_in_range_and_never_zero),
	    TEST(an_absent_or_endless_identifier_is_refused),
	    cmocka_unit_test(base32_matches_rfc_4648),
	    TEST(create_never_overwrites_a_key),
	    TEST(files_are_made_with_their_modes),
	    TEST(a_signing_key_that_others_can_read_is_refused),
	    TEST(a_site_key_that_others_can_read_is_refused),
	    TEST(a_directory_that_others_can_write_is_refused),
	    TEST(a_damaged_signing_key_is_refused),
	    TEST(an_empty_public_key_is_refused),
	    TEST(a_short_site_key_is_refused),
	    TEST(a_site_key_with_a_wrong_digit_is_refused),
	    TEST(a_public_key_of_another_node_is_refused),
	    TEST(missing_keys_say_where_to_get_them),
	    TEST(a_lost_pseudonym_key_is_never_made_anew),
	    TEST(the_public_key_verifies_what_the_private_key_signs),
	    TEST(fingerprint_matches_the_openssl_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
