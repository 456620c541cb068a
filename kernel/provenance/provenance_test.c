/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "provenance/provenance.h"

struct home {
	struct test_dir dir;
	char file[128], sig[160];
};

static void
write_text(const char *path, const char *text)
{
	struct cairn_error err = {0};

	assert_ok(file_write(path, text, strlen(text), 0600, &err), &err);
}

static void
open_home(struct home *home)
{
	struct cairn_error err = {0};
	char path[128];

	test_dir_make(&home->dir);
	snprintf(path, sizeof path, "%s/plugins", home->dir.path);
	assert_ok(file_mkdirs(path, 0700, &err), &err);
	snprintf(path, sizeof path, "%s/keys/publishers", home->dir.path);
	assert_ok(file_mkdirs(path, 0700, &err), &err);
	snprintf(home->file, sizeof home->file, "%s/a.so", home->dir.path);
	snprintf(home->sig, sizeof home->sig, "%s.sig", home->file);
	write_text(home->file, "some bytes");
}

/* The digest is checked on the way: a verdict on other bytes would be worth nothing. */
static enum provenance_verdict
judge(const struct home *home, bool development, char *ret_text)
{
	struct provenance *p = NULL;
	struct cairn_error err = {0};
	enum provenance_verdict verdict;

	assert_ok(provenance_open(home->file, NULL, &p, &err), &err);
	assert_ok(provenance_judge(p, home->dir.path, "a", home->file, development, &err), &err);
	verdict = p->verdict;
	if (ret_text != NULL)
		snprintf(ret_text, CAIRN_ERROR_TEXT_MAX, "%s", p->text);
	provenance_free(p);
	return verdict;
}

static void
pin(const struct home *home)
{
	struct provenance *p = NULL;
	struct trust trust = {0};
	struct cairn_error err = {0};

	assert_ok(provenance_open(home->file, NULL, &p, &err), &err);
	assert_ok(trust_load(home->dir.path, &trust, &err), &err);
	assert_ok(trust_add(&trust, TRUST_PIN, "a", p->digest, &err), &err);
	assert_ok(trust_save(home->dir.path, &trust, &err), &err);
	trust_fini(&trust);
	provenance_free(p);
}

/* Signs what the file holds now; the public key is trusted as "acme" when asked. */
static void
sign(const struct home *home, bool trusted)
{
	char key_path[128], public[160], *text = NULL;
	struct provenance *p = NULL;
	struct signature signature;
	struct cairn_error err = {0};
	EVP_PKEY *key = NULL;

	snprintf(key_path, sizeof key_path, "%s/acme.key", home->dir.path);
	snprintf(public, sizeof public, "%s/keys/%sacme.pem", home->dir.path,
	    trusted ? "publishers/" : "");
	assert_ok(publisher_key_create(key_path, public, &key, &err), &err);
	assert_ok(provenance_open(home->file, NULL, &p, &err), &err);
	assert_ok(signature_make(key, p->bytes, p->size, &signature, &err), &err);
	assert_ok(signature_print(&signature, &text, &err), &err);
	write_text(home->sig, text);
	free(text);
	provenance_free(p);
	EVP_PKEY_free(key);
}

static void
nobody_can_write_what_was_opened(void **state)
{
	struct home home;
	struct provenance *p = NULL;
	struct cairn_error err = {0};
	char path[64];
	int again;

	(void)state;
	open_home(&home);
	assert_ok(provenance_open(home.file, NULL, &p, &err), &err);
	assert_true(p->fd >= 3);
	assert_true(pwrite(p->fd, "x", 1, 0) < 0);
	assert_true(ftruncate(p->fd, 0) < 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", p->fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	assert_true(again < 0 || pwrite(again, "x", 1, 0) < 0);
	if (again >= 0)
		close(again);
	write_text(home.file, "others now");
	assert_memory_equal(p->bytes, "some bytes", 10);
	provenance_free(p);
	test_dir_remove(&home.dir);
}

static void
what_nobody_knows_is_refused_and_runs_in_development(void **state)
{
	struct home home;
	char text[CAIRN_ERROR_TEXT_MAX];

	(void)state;
	open_home(&home);
	assert_int_equal(judge(&home, false, text), PROVENANCE_REFUSED);
	assert_non_null(strstr(text, "neither signed nor pinned"));
	assert_int_equal(judge(&home, true, NULL), PROVENANCE_DEVELOPMENT);
	test_dir_remove(&home.dir);
}

static void
a_pinned_file_runs_until_a_byte_changes(void **state)
{
	struct home home;
	char text[CAIRN_ERROR_TEXT_MAX];

	(void)state;
	open_home(&home);
	pin(&home);
	assert_int_equal(judge(&home, false, NULL), PROVENANCE_PINNED);
	write_text(home.file, "some bytez");
	assert_int_equal(judge(&home, false, text), PROVENANCE_REFUSED);
	assert_non_null(strstr(text, "expected sha256:"));
	assert_non_null(strstr(text, "cairn plugin enable a --pin"));
	test_dir_remove(&home.dir);
}

static void
a_trusted_publishers_signature_counts_and_a_strangers_does_not(void **state)
{
	struct home home;
	char text[CAIRN_ERROR_TEXT_MAX];

	(void)state;
	open_home(&home);
	sign(&home, true);
	assert_int_equal(judge(&home, false, text), PROVENANCE_SIGNED);
	assert_string_equal(text, "signed by acme");
	write_text(home.file, "some bytez");
	assert_int_equal(judge(&home, false, text), PROVENANCE_REFUSED);
	assert_non_null(strstr(text, "changed after it was signed"));
	test_dir_remove(&home.dir);
	open_home(&home);
	sign(&home, false);
	assert_int_equal(judge(&home, false, text), PROVENANCE_REFUSED);
	assert_non_null(strstr(text, "not among the trusted ones"));
	test_dir_remove(&home.dir);
}

/* Every single byte of the signature's file matters. */
static void
no_changed_byte_of_a_signature_verifies(void **state)
{
	struct home home;
	BUF_AUTO text = {.max = SIGNATURE_FILE_MAX};
	struct cairn_error err = {0};

	(void)state;
	open_home(&home);
	sign(&home, true);
	assert_ok(file_read(home.sig, &text, &err), &err);
	for (size_t i = 0; i < text.length; i++) {
		text.data[i] ^= 1;
		assert_ok(file_write(home.sig, text.data, text.length, 0600, &err), &err);
		assert_int_equal(judge(&home, false, NULL), PROVENANCE_REFUSED);
		text.data[i] ^= 1;
	}
	test_dir_remove(&home.dir);
}

static void
a_line_that_is_not_trusts_own_is_named(void **state)
{
	static const char *const bad[] = {"pin a", "pin a sha256:00 more", "allow a b",
	    "pin A sha256:00", "grant ../a listen:tcp", " ", "pin a \x01\nb"};
	struct trust trust = {0};
	struct cairn_error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[128];

		snprintf(text, sizeof text, "# heading\n\n%s\n", bad[i]);
		assert_int_not_equal(trust_parse(text, strlen(text), &trust, &err), 0);
		assert_non_null(strstr(err.text, "plugins/trust:"));
	}
}

static void
grants_cover_patterns_and_end_when_removed(void **state)
{
	static const char text[] = "grant a call:x.*\ngrant a put:facts\ngrant b put:more\n";
	struct trust trust = {0};
	struct cairn_error err = {0};

	(void)state;
	assert_ok(trust_parse(text, sizeof text - 1, &trust, &err), &err);
	assert_true(trust_has(&trust, TRUST_GRANT, "a", "call:x.y"));
	assert_false(trust_has(&trust, TRUST_GRANT, "b", "call:x.y"));
	trust_remove(&trust, TRUST_GRANT, "a", "put:facts");
	assert_false(trust_has(&trust, TRUST_GRANT, "a", "put:facts"));
	trust_remove(&trust, TRUST_GRANT, "a", NULL);
	assert_int_equal(trust_count(&trust, TRUST_GRANT, "a"), 0);
	assert_int_equal(trust.count, 1);
	trust_fini(&trust);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_can_write_what_was_opened),
	    cmocka_unit_test(what_nobody_knows_is_refused_and_runs_in_development),
	    cmocka_unit_test(a_pinned_file_runs_until_a_byte_changes),
	    cmocka_unit_test(a_trusted_publishers_signature_counts_and_a_strangers_does_not),
	    cmocka_unit_test(no_changed_byte_of_a_signature_verifies),
	    cmocka_unit_test(a_line_that_is_not_trusts_own_is_named),
	    cmocka_unit_test(grants_cover_patterns_and_end_when_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
