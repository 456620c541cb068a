/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no peer; transfers are tested against servers (tests/integration/fhir_test.py). */
#include "http.h"

#include "assertion.h"
#include "base/test.h"

static void
addresses_are_checked(void **state)
{
	(void)state;
	assert_int_equal(http_check_url("https://fhir.example.org/r4", false, NULL), 0);
	assert_int_equal(http_check_url("http://127.0.0.1:8080/r4", false, NULL), 0);
	assert_int_equal(http_check_url("http://fhir.example.org/", false, NULL), CAIRN_EINVAL);
	assert_int_equal(http_check_url("http://fhir.example.org/", true, NULL), 0);
	assert_int_equal(http_check_url("https://a:b@x.org/", false, NULL), CAIRN_EINVAL);
	assert_int_equal(http_check_url("file:///etc/passwd", true, NULL), CAIRN_EINVAL);
	assert_int_equal(http_check_url("nothing", true, NULL), CAIRN_EINVAL);
}

static void
an_origin_is_scheme_host_and_port(void **state)
{
	(void)state;
	assert_true(http_same_origin("https://A.org/x", "https://a.org:443/y?z"));
	assert_false(http_same_origin("https://a.org/x", "http://a.org/x"));
	assert_false(http_same_origin("https://a.org/x", "https://a.org:8443/x"));
	assert_false(http_same_origin("https://a.org/x", "https://a.org.evil.net/x"));
	assert_false(http_same_origin("https://a.org/x", "https://a.org@evil.net/x"));
}

static void
references_are_resolved(void **state)
{
	char url[100];

	(void)state;
	assert_int_equal(http_resolve("https://a.org/r4/Patient", "/x?y", url, sizeof url), 0);
	assert_string_equal(url, "https://a.org/x?y");
	assert_int_equal(http_resolve("https://a.org/r4/", "https://b.org/", url, sizeof url), 0);
	assert_string_equal(url, "https://b.org/");
}

static void
the_key_is_the_same_for_the_same_secret(void **state)
{
	struct assertion_key *one = NULL, *other = NULL;
	BUF_AUTO a = {.max = 4096}, b = {.max = 4096}, jwt = {.max = 4096};
	uint8_t secret[32] = {1, 2, 3};
	struct cairn_error err = {0};

	(void)state;
	assert_ok(assertion_key_new(&one, secret, sizeof secret, &err), &err);
	assert_ok(assertion_key_new(&other, secret, sizeof secret, &err), &err);
	assert_int_equal(assertion_jwks(one, &a), 0);
	assert_int_equal(assertion_jwks(other, &b), 0);
	assert_string_equal(buf_text(&a), buf_text(&b));
	assertion_key_free(other);
	secret[0] = 2;
	assert_ok(assertion_key_new(&other, secret, sizeof secret, &err), &err);
	buf_clear(&b);
	assert_int_equal(assertion_jwks(other, &b), 0);
	assert_string_not_equal(buf_text(&a), buf_text(&b));
	assert_int_equal(assertion_sign(one, "us", "https://x.org/token", 1000, &jwt), 0);
	assert_int_equal(
	    assertion_sign(one, "u\"s", "https://x.org/token", 1000, &jwt), CAIRN_EINVAL);
	assertion_key_free(one);
	assertion_key_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_checked),
	    cmocka_unit_test(an_origin_is_scheme_host_and_port),
	    cmocka_unit_test(references_are_resolved),
	    cmocka_unit_test(the_key_is_the_same_for_the_same_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
