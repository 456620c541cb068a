/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/note.h"

#include <openssl/evp.h>

#include "base/test.h"
#include "base/text.h"
#include "ledger/base64.h"

/* The key of RFC 8032 7.1 test 1.  The note was made with
 *   openssl pkeyutl -sign -rawin -inkey key.der -in text | base64
 * and the key hash with Python's hashlib. */
#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define ROOT "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
#define TEXT "site-1.example.org\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
#define LINE                                                       \
	"\xe2\x80\x94 site-1.example.org "                         \
	"HbTouLgJib9utsZfn+uuR+DxiKFf6jFlMnUz1ZVkaaJrDiX966b9fKDp" \
	"407XevrRZYFhIX7WYaFZ3aXMKFNGafvz2w0=\n"
#define NOTE TEXT "\n" LINE

static EVP_PKEY *
known_key(void)
{
	uint8_t seed[32];
	EVP_PKEY *key;

	assert_int_equal(text_unhex(SEED, seed, sizeof seed), 0);
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
	assert_non_null(key);
	return key;
}

static void
a_note_is_signed_as_the_openssl_command_signs(void **state)
{
	EVP_PKEY *key = known_key();
	BUF_AUTO note = {.max = NOTE_MAX};
	struct cairn_error err = {0};
	uint8_t root[32];

	(void)state;
	assert_int_equal(text_unhex(ROOT, root, sizeof root), 0);
	assert_ok(note_sign(&note, "site-1.example.org", 8, root, key, &err), &err);
	assert_string_equal(buf_text(&note), NOTE);
	EVP_PKEY_free(key);
}

static void
a_note_says_what_was_signed(void **state)
{
	EVP_PKEY *key = known_key();
	struct cairn_error err = {0};
	struct note note;
	char root[65];

	(void)state;
	assert_ok(note_parse(&note, NOTE, strlen(NOTE), &err), &err);
	assert_string_equal(note.origin, "site-1.example.org");
	assert_int_equal(note.size, 8);
	text_hex(note.root, 32, root);
	assert_string_equal(root, ROOT);
	assert_ok(note_verify(&note, NOTE, key, &err), &err);
	EVP_PKEY_free(key);
}

/* Each bit of text and signature, and each shortening, is refused by the parser or the verifier. */
static void
an_altered_note_is_refused(void **state)
{
	EVP_PKEY *key = known_key();
	char bytes[sizeof NOTE];
	size_t length = strlen(NOTE);
	struct note note;

	(void)state;
	for (size_t bit = 0; bit < 8 * length; bit++) {
		memcpy(bytes, NOTE, sizeof bytes);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
		if (note_parse(&note, bytes, length, NULL) == 0)
			assert_int_equal(note_verify(&note, bytes, key, NULL), CAIRN_ECORRUPT);
	}
	for (size_t cut = 0; cut < length; cut++)
		assert_int_equal(note_parse(&note, NOTE, cut, NULL), CAIRN_ECORRUPT);
	EVP_PKEY_free(key);
}

static void
a_witness_may_sign_beside_the_node(void **state)
{
	static const char noted[] = TEXT "\n\xe2\x80\x94 witness.example "
					 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
					 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" LINE;
	EVP_PKEY *key = known_key();
	struct cairn_error err = {0};
	struct note note;

	(void)state;
	assert_ok(note_parse(&note, noted, sizeof noted - 1, &err), &err);
	assert_int_equal(note.signature_count, 2);
	assert_ok(note_verify(&note, noted, key, &err), &err);
	EVP_PKEY_free(key);
}

static void
a_note_of_another_key_is_refused(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct note note;

	(void)state;
	assert_int_equal(note_parse(&note, NOTE, strlen(NOTE), NULL), 0);
	assert_int_equal(note_verify(&note, NOTE, key, NULL), CAIRN_ECORRUPT);
	EVP_PKEY_free(key);
}

static void
odd_notes_are_refused(void **state)
{
	static const char *const odd[] = {"", "\n", "a\n", "a\n01\n", "a\n18446744073709551616\n",
	    "a\n-1\n", "a b\n8\n", "a\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyh=\n\n" LINE,
	    TEXT, TEXT "\n", TEXT LINE, TEXT "\nsite-1.example.org x\n", TEXT "\n" LINE "\n",
	    TEXT "extension\n\n" LINE};
	struct note note;

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_int_equal(note_parse(&note, odd[i], strlen(odd[i]), NULL), CAIRN_ECORRUPT);
}

static void
seventeen_signatures_are_too_many(void **state)
{
	BUF_AUTO text = {.max = NOTE_MAX};
	struct note note;

	(void)state;
	assert_int_equal(buf_append_text(&text, TEXT "\n"), 0);
	for (unsigned i = 0; i < NOTE_SIGNATURES_MAX; i++)
		assert_int_equal(buf_append_text(&text, LINE), 0);
	assert_int_equal(note_parse(&note, text.data, text.length, NULL), 0);
	assert_int_equal(buf_append_text(&text, LINE), 0);
	assert_int_equal(note_parse(&note, text.data, text.length, NULL), CAIRN_ECORRUPT);
}

static void
an_origin_with_a_space_cannot_sign(void **state)
{
	EVP_PKEY *key = known_key();
	BUF_AUTO note = {.max = NOTE_MAX};
	struct cairn_error err = {0};
	static const uint8_t root[32];

	(void)state;
	assert_int_equal(note_sign(&note, "site 1", 8, root, key, &err), CAIRN_EINVAL);
	assert_int_equal(note_sign(&note, "", 8, root, key, &err), CAIRN_EINVAL);
	assert_int_equal(note_sign(&note, "a\nb", 8, root, key, &err), CAIRN_EINVAL);
	assert_int_equal(note.length, 0);
	EVP_PKEY_free(key);
}

static void
base64_matches_rfc_4648(void **state)
{
	static const char *const expected[] = {
	    "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	uint8_t bytes[8];
	char text[16];

	(void)state;
	for (size_t i = 0; i <= 6; i++) {
		base64_encode((const uint8_t *)"foobar", i, text);
		assert_string_equal(text, expected[i]);
		assert_int_equal(base64_decode(text, bytes, i), 0);
		assert_memory_equal(bytes, "foobar", i);
	}
}

static void
base64_has_one_spelling(void **state)
{
	static const char *const odd[] = {
	    "Zh==", "Zg=", "Zg", "Z===", "====", "Zg=A", "Z\n==", " g=="};
	uint8_t byte;

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_int_equal(base64_decode(odd[i], &byte, 1), CAIRN_EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_note_is_signed_as_the_openssl_command_signs),
	    cmocka_unit_test(a_note_says_what_was_signed),
	    cmocka_unit_test(an_altered_note_is_refused),
	    cmocka_unit_test(a_witness_may_sign_beside_the_node),
	    cmocka_unit_test(a_note_of_another_key_is_refused),
	    cmocka_unit_test(odd_notes_are_refused),
	    cmocka_unit_test(seventeen_signatures_are_too_many),
	    cmocka_unit_test(an_origin_with_a_space_cannot_sign),
	    cmocka_unit_test(base64_matches_rfc_4648),
	    cmocka_unit_test(base64_has_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
