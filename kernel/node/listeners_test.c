/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that are kept for a plugin, on loopback. */
#include "node/listeners.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/test.h"
#include "node/handover.h"

static char *listens[] = {(char *)(uintptr_t) "listen:tcp"};
static struct manifest granted = {
    .name = (char *)(uintptr_t) "dicom", .capabilities = listens, .capability_count = 1};
static struct manifest plain = {.name = (char *)(uintptr_t) "dicom"};
static unsigned refusals;

/* The latest process's; the test says which. */
static struct node_plugin *user;

void *
supervisor_user(const struct supervisor_plugin *plugin)
{
	(void)plugin;
	return user;
}

const struct manifest *
handover_manifest(const struct node_plugin *plugin, const struct supervisor_plugin *process)
{
	(void)process;
	return plugin->config.manifest;
}

void
node_plugin_refuse(struct node_plugin *plugin, const char *text)
{
	(void)plugin;
	assert_non_null(strstr(text, "has no capability listen:tcp"));
	refusals++;
}

static int
get(struct node_plugin *plugin, const char *address, uint16_t port)
{
	struct cairn_error err = {0};
	int fd = -1;

	user = plugin;
	assert_ok(listeners_get(NULL, NULL, address, port, &fd, &err), &err);
	assert_true(fd >= 0);
	return fd;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void
the_same_address_gives_the_same_socket(void **state)
{
	struct node_plugin plugin = {.config.manifest = &granted};
	int first;

	(void)state;
	first = get(&plugin, "127.0.0.1", 0);
	assert_int_equal(get(&plugin, "127.0.0.1", 0), first);
	assert_int_not_equal(get(&plugin, "127.0.0.2", 0), first);
	assert_int_equal(plugin.listener_count, 2);
	listeners_close(&plugin, false);
	assert_false(is_open(first));
	assert_int_equal(plugin.listener_count, 0);
}

static void
what_the_next_process_does_not_ask_for_is_closed(void **state)
{
	struct node_plugin plugin = {.config.manifest = &granted};
	int kept, gone;

	(void)state;
	gone = get(&plugin, "127.0.0.1", 0);
	kept = get(&plugin, "127.0.0.2", 0);
	listeners_close(&plugin, true);
	assert_int_equal(plugin.listener_count, 2);
	listeners_renew(&plugin);
	assert_int_equal(get(&plugin, "127.0.0.2", 0), kept);
	listeners_close(&plugin, true);
	assert_true(is_open(kept));
	assert_false(is_open(gone));
	listeners_close(&plugin, false);
}

static void
without_the_capability_there_is_none(void **state)
{
	struct node_plugin plugin = {.config.manifest = &plain};
	struct cairn_error err = {0};
	int fd = -1;

	(void)state;
	refusals = 0;
	user = &plugin;
	assert_int_equal(listeners_get(NULL, NULL, "127.0.0.1", 0, &fd, &err), CAIRN_EFORBIDDEN);
	assert_int_equal(refusals, 1);
	assert_int_equal(fd, -1);
	assert_int_equal(plugin.listener_count, 0);
}

static void
what_is_no_address_or_one_too_many_is_refused(void **state)
{
	struct node_plugin plugin = {.config.manifest = &granted};
	struct cairn_error err = {0};
	char address[32];
	int fd = -1;

	(void)state;
	user = &plugin;
	assert_int_not_equal(listeners_get(NULL, NULL, "local\nhost", 0, &fd, &err), 0);
	assert_int_not_equal(listeners_get(NULL, NULL, "localhost", 0, &fd, &err), 0);
	assert_int_equal(plugin.listener_count, 0);
	for (unsigned i = 0; i < NODE_LISTENERS_MAX; i++) {
		snprintf(address, sizeof address, "127.0.1.%u", i + 1);
		get(&plugin, address, 0);
	}
	assert_int_equal(listeners_get(NULL, NULL, "127.0.0.1", 0, &fd, &err), CAIRN_ELIMIT);
	assert_int_equal(fd, -1);
	listeners_close(&plugin, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_address_gives_the_same_socket),
	    cmocka_unit_test(what_the_next_process_does_not_ask_for_is_closed),
	    cmocka_unit_test(without_the_capability_there_is_none),
	    cmocka_unit_test(what_is_no_address_or_one_too_many_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
