/* SPDX-License-Identifier: Apache-2.0 */
/* node.yaml and plugins/enabled, in a node's home made here. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test.h"
#include "config/config.h"

#ifndef TEST_PLUGINS_DIR
#error "the build says where config_test_plugin.so is"
#endif

static void
put(const struct test_dir *home, const char *name, const char *text)
{
	char path[256];
	struct cairn_error err = {0};

	assert_int_equal(file_join(path, sizeof path, home->path, name), 0);
	assert_ok(file_write(path, text, strlen(text), 0600, &err), &err);
}

static void
make_home(struct test_dir *home)
{
	char path[256];

	test_dir_make(home);
	assert_int_equal(file_join(path, sizeof path, home->path, "plugins/enabled"), 0);
	assert_int_equal(file_mkdirs(path, 0700, NULL), 0);
	assert_int_equal(file_join(path, sizeof path, home->path, "plugins/available"), 0);
	assert_int_equal(file_mkdirs(path, 0700, NULL), 0);
	put(home, "node.yaml", "id: node-a\nplugin_dir: " TEST_PLUGINS_DIR "\n");
}

static struct node_config *
load_node(const struct test_dir *home)
{
	struct node_config *node = NULL;
	struct cairn_error err = {0};

	assert_ok(node_config_load(home->path, &node, &err), &err);
	node->development = true; /* nobody signed the test's plugin */
	return node;
}

static void
expect_plugins_refused(const struct test_dir *home, const char *message)
{
	struct node_config *node = load_node(home);
	struct plugin_config *configs = NULL;
	struct cairn_error err = {0};
	size_t count = 0;

	assert_true(plugin_configs_load(node, &configs, &count, &err) < 0);
	assert_string_equal(err.text, message);
	node_config_free(node);
}

static void
a_short_node_yaml_is_filled_with_defaults(void **state)
{
	struct test_dir home;
	struct node_config *node;

	(void)state;
	make_home(&home);
	node = load_node(&home);
	assert_string_equal(node->id, "node-a");
	assert_string_equal(node->name, "node-a");
	assert_string_equal(node->role, "site");
	assert_string_equal(node->project, "local");
	assert_string_equal(node->plugin_dir, TEST_PLUGINS_DIR);
	assert_int_equal(node->restart_limit, 10);
	assert_int_equal(node->restart_window_s, 60);
	assert_int_equal(node->stop_timeout_ms, 10000);
	assert_int_equal(node->heartbeat_ms, 5000);
	assert_int_equal(node->heartbeat_limit_ms, 15000);
	assert_int_equal(node->log_size_kb, 10240);
	assert_int_equal(node->log_files, 5);
	node_config_free(node);
	test_dir_remove(&home);
}

static void
a_wrong_node_yaml_is_named_with_its_line(void **state)
{
	static const char *const cases[][2] = {
	    {"name: x\n",
		"node.yaml: missing key 'id': The name of this node in the network and in "
		"its ledger: a-z, 0-9, dots and hyphens."},
	    {"\nid: Node A\n",
		"node.yaml:2: 'id' must be made of a-z, 0-9, '.' and '-' and begin with "
		"a letter or digit, found the text 'Node A'"},
	    {"id: a\nproject: ../x\n",
		"node.yaml:2: 'project' must be made of a-z, 0-9, '.' and '-' and begin with a "
		"letter "
		"or digit, found the text '../x'"},
	    {"id: a\nrole: sites\n",
		"node.yaml:2: 'role' takes site, hub, not 'sites'; did you mean 'site'?"},
	    {"id: a\nhartbeat_ms: 1\n",
		"node.yaml:2: unknown key 'hartbeat_ms'; did you mean 'heartbeat_ms'?"},
	    {"id: a\nheartbeat_ms: 1\n",
		"node.yaml:2: 'heartbeat_ms' must be from 100 to 60000, found 1"},
	};
	struct test_dir home;

	(void)state;
	make_home(&home);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct node_config *node = NULL;
		struct cairn_error err = {0};

		put(&home, "node.yaml", cases[i][0]);
		assert_int_equal(node_config_load(home.path, &node, &err), CAIRN_EINVAL);
		assert_memory_equal(err.text, home.path, strlen(home.path));
		assert_string_equal(err.text + strlen(home.path) + 1, cases[i][1]);
	}
	test_dir_remove(&home);
}

static void
a_folder_without_a_node_says_how_to_make_one(void **state)
{
	struct node_config *node = NULL;
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(node_config_load("/nowhere", &node, &err), CAIRN_ENOTFOUND);
	assert_string_equal(
	    err.text, "/nowhere: no such folder; `cairn init /nowhere` makes a node there");
}

static void
the_example_node_yaml_is_valid(void **state)
{
	struct test_dir home;
	struct node_config *node;
	struct cairn_error err = {0};
	char *text = NULL;

	(void)state;
	make_home(&home);
	assert_ok(node_config_example("a.example", "St. \"A\" \\ Hospital", "plugins", &text, &err),
	    &err);
	put(&home, "node.yaml", text);
	node = load_node(&home);
	assert_string_equal(node->id, "a.example");
	assert_string_equal(node->name, "St. \"A\" \\ Hospital");
	assert_int_equal(node->plugin_dir[0], '/');
	assert_non_null(strstr(text, "#heartbeat_ms: 5000\n"));
	assert_non_null(strstr(text, "\nid: \"a.example\"\n"));
	assert_null(strstr(text, "#id:")); /* each key once */
	assert_null(strstr(text, "#name:"));
	assert_null(strstr(text, "#plugin_dir:"));
	node_config_free(node);
	free(text);
	test_dir_remove(&home);
}

static void
an_enabled_plugin_is_read_with_its_manifest_and_values(void **state)
{
	struct test_dir home;
	struct node_config *node;
	struct plugin_config *configs = NULL;
	struct cairn_error err = {0};
	size_t count = 0;
	char link[256];

	(void)state;
	make_home(&home);
	put(&home, "plugins/available/config-test.yaml", "greeting: Hi\n");
	put(&home, "plugins/available/other.yaml", "");
	put(&home, "plugins/enabled/.config-test.yaml.swp", "");
	assert_int_equal(
	    file_join(link, sizeof link, home.path, "plugins/enabled/config-test.yaml"), 0);
	assert_int_equal(symlink("../available/config-test.yaml", link), 0);
	node = load_node(&home);
	assert_ok(plugin_configs_load(node, &configs, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_string_equal(configs[0].manifest->name, "config-test");
	assert_string_equal(configs[0].manifest->serves[0].subject, "config-test.greet");
	assert_string_equal(config_find(&configs[0].values, "greeting")->text, "Hi");
	plugin_configs_free(configs, count);
	node_config_free(node);
	test_dir_remove(&home);
}

static void
a_home_without_enabled_plugins_has_none(void **state)
{
	struct test_dir home;
	struct node_config *node;
	struct plugin_config *configs = NULL;
	struct cairn_error err = {0};
	size_t count = 7;

	(void)state;
	test_dir_make(&home);
	put(&home, "node.yaml", "id: a\n");
	node = load_node(&home);
	assert_ok(plugin_configs_load(node, &configs, &count, &err), &err);
	assert_int_equal(count, 0);
	plugin_configs_free(configs, count);
	node_config_free(node);
	test_dir_remove(&home);
}

static void
what_is_wrong_with_an_enabled_plugin_is_said(void **state)
{
	struct test_dir home;
	char path[256];

	(void)state;
	make_home(&home);
	put(&home, "plugins/enabled/config-test.yaml", "\ngreting: Hi\n");
	expect_plugins_refused(&home,
	    "plugins/enabled/config-test.yaml:2: unknown key 'greting'; "
	    "did you mean 'greeting'?");
	assert_int_equal(
	    file_join(path, sizeof path, home.path, "plugins/enabled/config-test.yaml"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("../available/config-test.yaml", path), 0);
	expect_plugins_refused(&home,
	    "plugins/enabled/config-test.yaml: the link leads nowhere; `cairn plugin disable "
	    "config-test` and enable it again");
	assert_int_equal(unlink(path), 0);
	put(&home, "plugins/enabled/absent.yaml", "");
	expect_plugins_refused(&home,
	    "plugins/enabled/absent.yaml: there is no " TEST_PLUGINS_DIR "/absent.so and no "
	    "absent.plugin.yaml there; install the plugin, or disable it with `cairn plugin "
	    "disable "
	    "absent`");
	put(&home, "plugins/enabled/Notes.txt", "");
	assert_int_equal(file_join(path, sizeof path, home.path, "plugins/enabled/absent.yaml"), 0);
	assert_int_equal(unlink(path), 0);
	expect_plugins_refused(&home,
	    "plugins/enabled/Notes.txt: the name must be that of a plugin and end in .yaml; remove "
	    "what does not belong here");
	test_dir_remove(&home);
}

static void
a_masked_plugin_is_refused(void **state)
{
	struct test_dir home;
	char path[256];

	(void)state;
	make_home(&home);
	put(&home, "plugins/enabled/config-test.yaml", "greeting: Hi\n");
	assert_int_equal(file_join(path, sizeof path, home.path, "plugins/masked"), 0);
	assert_int_equal(file_mkdirs(path, 0700, NULL), 0);
	put(&home, "plugins/masked/config-test", "see ticket 17\n");
	expect_plugins_refused(&home,
	    "plugin 'config-test' is masked: it cannot be enabled until `cairn plugin unmask "
	    "config-test` (`cairn plugin why config-test` says who masked it, and why)");
	test_dir_remove(&home);
}

static void
parse(const char *text, struct manifest **ret)
{
	struct cairn_error err = {0};

	assert_ok(manifest_parse(text, strlen(text), "x.so", ret, &err), &err);
}

static void
a_type_that_the_kernel_does_not_know_is_refused(void **state)
{
	struct manifest *known, *unknown;
	struct cairn_error err = {0};

	(void)state;
	parse("name: x\nversion: '1'\nabi: 1\n"
	      "serves: [{subject: x.y, request: cairn.CountRequest}]\n",
	    &known);
	parse("name: x\nversion: '1'\nabi: 1\n"
	      "serves: [{subject: x.y, request: cairn.NoSuch}]\n",
	    &unknown);
	assert_ok(manifest_types_check(known, &err), &err);
	assert_int_equal(manifest_types_check(unknown, &err), CAIRN_EUNSUPPORTED);
	assert_string_equal(err.text,
	    "plugin 'x' serves 'x.y' with `request: cairn.NoSuch`, a message type that this kernel "
	    "does not know; correct the name in the plugin's manifest (the types are in "
	    "proto/cairn/*.proto), or update Cairn if the plugin is for a newer one");
	manifest_free(known);
	manifest_free(unknown);
}

static void
every_plugin_has_on_failure(void **state)
{
	struct manifest *sink, *engine, *other = NULL;
	const struct config_option *option;
	struct cairn_error err = {0};
	static const char own[] = "name: x\nversion: '1'\nabi: 1\nconfig:\n"
				  "  on_failure: {type: string, default: a}\n";

	(void)state;
	parse("name: x\nversion: '1'\nabi: 1\nkind: sink\n", &sink);
	parse("name: x\nversion: '1'\nabi: 1\n", &engine);
	option = &sink->schema.options[sink->schema.count - 1];
	assert_string_equal(option->key, "on_failure");
	assert_string_equal(option->fallback, "closed");
	assert_string_equal(option->choices[1], "open");
	option = &engine->schema.options[engine->schema.count - 1];
	assert_string_equal(option->choices[1], "stop");
	assert_int_equal(manifest_parse(own, sizeof own - 1, "x.so", &other, &err), CAIRN_EINVAL);
	assert_string_equal(err.text,
	    "x.so: the option 'on_failure' is the node's own; the plugin must give its own another "
	    "name");
	manifest_free(sink);
	manifest_free(engine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_short_node_yaml_is_filled_with_defaults),
	    cmocka_unit_test(a_wrong_node_yaml_is_named_with_its_line),
	    cmocka_unit_test(a_folder_without_a_node_says_how_to_make_one),
	    cmocka_unit_test(the_example_node_yaml_is_valid),
	    cmocka_unit_test(an_enabled_plugin_is_read_with_its_manifest_and_values),
	    cmocka_unit_test(a_home_without_enabled_plugins_has_none),
	    cmocka_unit_test(what_is_wrong_with_an_enabled_plugin_is_said),
	    cmocka_unit_test(a_masked_plugin_is_refused),
	    cmocka_unit_test(a_type_that_the_kernel_does_not_know_is_refused),
	    cmocka_unit_test(every_plugin_has_on_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
