/* SPDX-License-Identifier: Apache-2.0 */
#include "scp.h"

#include "testing.h"

static bool
allowed(const char *entry, const char *calling, const char *address)
{
	return scp_peer_allowed(&entry, 1, calling, address);
}

static void
without_peers_only_this_machine_may_send(void **state)
{
	(void)state;
	assert_true(scp_peer_allowed(NULL, 0, "PACS", "127.0.0.1"));
	assert_true(scp_peer_allowed(NULL, 0, "PACS", "127.3.2.1"));
	assert_true(scp_peer_allowed(NULL, 0, "PACS", "::1"));
	assert_false(scp_peer_allowed(NULL, 0, "PACS", "10.1.2.3"));
	assert_false(scp_peer_allowed(NULL, 0, "PACS", "::11"));
	assert_false(scp_peer_allowed(NULL, 0, "PACS", "12.7.0.1"));
}

static void
a_peer_is_known_by_its_title(void **state)
{
	(void)state;
	assert_true(allowed("PACS", "PACS", "10.1.2.3"));
	assert_false(allowed("PACS", "PACS2", "10.1.2.3"));
	assert_false(allowed("PACS", "PAC", "10.1.2.3"));
	assert_false(allowed("PACS", "pacs", "10.1.2.3"));
	assert_false(allowed("PACS", "", "10.1.2.3"));
}

static void
a_peer_may_be_bound_to_its_address(void **state)
{
	(void)state;
	assert_true(allowed("PACS@10.1.2.3", "PACS", "10.1.2.3"));
	assert_true(allowed("PACS@10.1.2.3", "PACS", "::ffff:10.1.2.3"));
	assert_true(allowed("PACS@fe80::1", "PACS", "fe80::1"));
	assert_false(allowed("PACS@10.1.2.3", "PACS", "10.1.2.30"));
	assert_false(allowed("PACS@10.1.2.3", "CT1", "10.1.2.3"));
	assert_false(allowed("PACS@", "PACS", "10.1.2.3"));
}

static void
a_star_stands_for_any_title_and_never_for_any_address(void **state)
{
	(void)state;
	assert_true(allowed("*@10.1.2.3", "WHOEVER", "10.1.2.3"));
	assert_false(allowed("*@10.1.2.3", "WHOEVER", "10.1.2.4"));
	assert_false(allowed("*", "WHOEVER", "10.1.2.3"));
	assert_false(allowed("PACS@*", "PACS", "10.1.2.3"));
	assert_false(allowed("P*@10.1.2.3", "PACS", "10.1.2.3"));
}

static void
with_peers_this_machine_is_none_by_itself(void **state)
{
	static const char *const peers[] = {"PACS@10.1.2.3", "CT1"};

	(void)state;
	assert_true(scp_peer_allowed(peers, 2, "CT1", "10.9.9.9"));
	assert_true(scp_peer_allowed(peers, 2, "PACS", "10.1.2.3"));
	assert_false(scp_peer_allowed(peers, 2, "MR1", "127.0.0.1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_peers_only_this_machine_may_send),
	    cmocka_unit_test(a_peer_is_known_by_its_title),
	    cmocka_unit_test(a_peer_may_be_bound_to_its_address),
	    cmocka_unit_test(a_star_stands_for_any_title_and_never_for_any_address),
	    cmocka_unit_test(with_peers_this_machine_is_none_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
