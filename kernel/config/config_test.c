/* SPDX-License-Identifier: Apache-2.0 */
/* Golden tests: what a person reads when a file is wrong, word for word. */
#include "base/file.h"
#include "base/test.h"
#include "config/config.h"
#include "config/tree.h"

static const char manifest_text[] =
    "name: dicom\n"
    "version: 0.1.0\n"
    "abi: 1\n"
    "kind: connector\n"
    "summary: Receives DICOM images\n"
    "serves:\n"
    "  - {subject: imaging.import, guarded: true, request: cairn.ImportRequest}\n"
    "  - {subject: imaging.echo, guarded: false}\n"
    "capabilities: [listen:tcp, objects:write, 'secret:uid', 'call:pseudonym.*', put:facts]\n"
    "config:\n"
    "  ae_title: {type: string, default: CAIRN, min: 1, max: 16, help: The title we answer to}\n"
    "  listen.port: {type: integer, default: 11112, min: 1, max: 65535, help: TCP port}\n"
    "  listen.address: {type: string, default: ''}\n"
    "  deid.options: {type: list, choices: [clean-pixel, retain-device, retain-uids],\n"
    "    default: [retain-device], max: 3}\n"
    "  deid.profile: {type: string, choices: [basic, none], default: basic}\n"
    "  ratio: {type: number, default: 0.5, min: 0, max: 1}\n"
    "  strict: {type: bool, default: true}\n"
    "  peers: {type: list, default: [], max: 2}\n";

static struct manifest *
parse(const char *text)
{
	struct manifest *manifest = NULL;
	struct cairn_error err = {0};

	assert_ok(manifest_parse(text, strlen(text), "dicom.so (manifest)", &manifest, &err), &err);
	return manifest;
}

static int
load(const char *yaml, size_t length, const struct config_schema *schema, struct config_values *ret,
    struct cairn_error *err)
{
	struct test_dir dir;
	char path[256];
	int code;

	test_dir_make(&dir);
	assert_int_equal(file_join(path, sizeof path, dir.path, "f.yaml"), 0);
	assert_int_equal(file_write(path, yaml, length, 0600, NULL), 0);
	code = config_load(path, schema, ret, err);
	test_dir_remove(&dir);
	if (code != 0) { /* drop the folder, whose name is never the same */
		char *slash = strstr(err->text, "/f.yaml");

		assert_non_null(slash);
		memmove(err->text, slash + 1, strlen(slash + 1) + 1);
	}
	return code;
}

struct golden {
	const char *yaml;
	const char *message;
};

static void
check_bad_files(const struct golden *cases, size_t count)
{
	struct manifest *manifest = parse(manifest_text);

	for (size_t i = 0; i < count; i++) {
		struct config_values values = {0};
		struct cairn_error err = {0};
		int code =
		    load(cases[i].yaml, strlen(cases[i].yaml), &manifest->schema, &values, &err);

		assert_int_equal(code, CAIRN_EINVAL);
		assert_string_equal(err.text, cases[i].message);
		assert_null(values.values);
	}
	manifest_free(manifest);
}

static void
a_wrong_value_is_named_with_file_and_line(void **state)
{
	static const struct golden cases[] = {
	    {"listen:\n  portt: 1\n",
		"f.yaml:2: unknown key 'portt' in 'listen'; did you mean 'port'?"},
	    {"\n\nae_titel: X\n", "f.yaml:3: unknown key 'ae_titel'; did you mean 'ae_title'?"},
	    {"colour: red\n", "f.yaml:1: unknown key 'colour'"},
	    {"listen.port: 104\n",
		"f.yaml:1: unknown key 'listen.port'; write 'a.b: 1' as 'a: {b: 1}'"},
	    {"strict: true\nstrict: false\n",
		"f.yaml:2: duplicate key 'strict'; it is already on line 1"},
	    {"listen: {port: abc}\n",
		"f.yaml:1: 'listen.port' must be a whole number, found the text 'abc'"},
	    {"listen: {port: '104'}\n",
		"f.yaml:1: 'listen.port' must be a whole number, found the text '104'; remove the "
		"quotes"},
	    {"listen: {port: 70000}\n",
		"f.yaml:1: 'listen.port' must be from 1 to 65535, found 70000"},
	    {"listen: {port: 1.5}\n",
		"f.yaml:1: 'listen.port' must be a whole number, found the text '1.5'"},
	    {"listen:\n  port:\n", "f.yaml:2: 'listen.port' must be a whole number, found nothing"},
	    {"listen: 104\n",
		"f.yaml:1: 'listen' holds options of its own and must be a map of keys, found 104"},
	    {"ae_title: [a]\n", "f.yaml:1: 'ae_title' must be a text, found a list"},
	    {"ae_title:\n",
		"f.yaml:1: 'ae_title' must be a text, found nothing; an empty text is written "
		"\"\""},
	    {"ae_title: \"\"\n", "f.yaml:1: 'ae_title' must have from 1 to 16 characters, found 0"},
	    {"ae_title: SEVENTEEN_LETTERS\n",
		"f.yaml:1: 'ae_title' must have from 1 to 16 characters, found 17"},
	    {"strict: yes\n", "f.yaml:1: 'strict' must be true or false, found the text 'yes'"},
	    {"ratio: 1.5\n", "f.yaml:1: 'ratio' must be from 0 to 1, found 1.5"},
	    {"ratio: .nan\n", "f.yaml:1: 'ratio' must be a number, found the text '.nan'"},
	    {"peers: a\n",
		"f.yaml:1: 'peers' must be a list, found the text 'a'; a list is written [a, b] or "
		"with '- ' lines"},
	    {"peers: [a, b, c]\n", "f.yaml:1: 'peers' must have at most 2 items, found 3"},
	    {"peers:\n  - a\n  - {b: c}\n",
		"f.yaml:3: the items of 'peers' must be texts, found a map of keys"},
	    {"deid:\n  options:\n  - retain-device\n  - retain-uid\n",
		"f.yaml:4: 'deid.options' takes clean-pixel, retain-device, retain-uids, not "
		"'retain-uid'; did you mean 'retain-uids'?"},
	    {"deid: {profile: strong}\n",
		"f.yaml:1: 'deid.profile' takes basic, none, not 'strong'"},
	};

	(void)state;
	check_bad_files(cases, sizeof cases / sizeof cases[0]);
}

static void
what_is_no_plain_yaml_is_refused_with_its_line(void **state)
{
	static const struct golden cases[] = {
	    {"- a\n", "f.yaml:1: expected lines of the form 'key: value'"},
	    {"hello\n", "f.yaml:1: expected lines of the form 'key: value'"},
	    {"peers: &a [x]\n", "f.yaml:1: tags (!) and anchors (&) are not allowed here"},
	    {"peers: !!set [x]\n", "f.yaml:1: tags (!) and anchors (&) are not allowed here"},
	    {"strict: true\nae_title: *a\n",
		"f.yaml:2: aliases (*) are not allowed here; a text that begins with '*' needs "
		"quotes"},
	    {"strict: true\n---\nstrict: false\n",
		"f.yaml:2: a second document; one file holds one"},
	    {"%YAML 1.1\n---\nstrict: true\n", "f.yaml:1: directives (%) are not allowed here"},
	    {"? [a, b]\n: c\n", "f.yaml:1: a key must be a single word"},
	    {"ae_title: \"a\\0b\"\n", "f.yaml:1: a text must not hold a zero byte"},
	    {"peers: [a\nstrict: true\n",
		"f.yaml:2: not valid YAML: did not find expected ',' or ']'"},
	    {"listen:\n\tport: 1\n",
		"f.yaml:2: not valid YAML: found character that cannot start any token (a tab, "
		"'@', "
		"'`' or '%': indent with spaces, quote texts)"},
	    {"a: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n", "f.yaml:1: nested deeper than 16 levels"},
	    {"a: \xff\n", "f.yaml:1: not valid YAML: invalid leading UTF-8 octet"},
	};

	(void)state;
	check_bad_files(cases, sizeof cases / sizeof cases[0]);
}

static void
a_file_with_too_many_values_is_refused(void **state)
{
	struct tree *tree = NULL;
	struct cairn_error err = {0};
	char *text = malloc(2 * 10001 + 8);
	size_t at = 0;

	(void)state;
	assert_non_null(text);
	text[at++] = '[';
	for (int i = 0; i < 10001; i++) {
		text[at++] = 'x';
		text[at++] = ',';
	}
	text[at++] = ']';
	assert_int_equal(tree_parse(text, at, "f", &tree, &err), CAIRN_EINVAL);
	assert_string_equal(err.text, "f:1: more than 10000 values in one file");
	free(text);
}

static void
a_file_over_one_mebibyte_is_refused(void **state)
{
	struct tree *tree = NULL;
	struct cairn_error err = {0};
	char *text = calloc(1, TREE_FILE_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '#', TREE_FILE_MAX + 1);
	assert_int_equal(tree_parse(text, TREE_FILE_MAX + 1, "f", &tree, &err), CAIRN_ELIMIT);
	free(text);
}

static void
an_empty_file_gives_the_defaults(void **state)
{
	struct manifest *manifest = parse(manifest_text);
	struct config_values values = {0};
	struct cairn_error err = {0};

	(void)state;
	assert_ok(load("# nothing\ndeid:\n", 16, &manifest->schema, &values, &err), &err);
	assert_int_equal(values.count, manifest->schema.count);
	assert_string_equal(config_find(&values, "ae_title")->text, "CAIRN");
	assert_int_equal(config_find(&values, "listen.port")->integer, 11112);
	assert_string_equal(config_find(&values, "listen.address")->text, "");
	assert_int_equal(config_find(&values, "deid.options")->item_count, 1);
	assert_string_equal(config_find(&values, "deid.options")->items[0], "retain-device");
	assert_true(config_find(&values, "strict")->boolean);
	assert_int_equal(config_find(&values, "peers")->item_count, 0);
	assert_null(config_find(&values, "colour"));
	config_values_fini(&values);
	manifest_free(manifest);
}

static void
a_file_overrides_the_defaults(void **state)
{
	static const char yaml[] = "listen:\n  port: 104\ndeid: {options: []}\nratio: 1e-1\n"
				   "strict: false\npeers: [PACS, '7']\nae_title: 123\n";
	struct manifest *manifest = parse(manifest_text);
	struct config_values values = {0};
	struct cairn_error err = {0};

	(void)state;
	assert_ok(load(yaml, sizeof yaml - 1, &manifest->schema, &values, &err), &err);
	assert_int_equal(config_find(&values, "listen.port")->integer, 104);
	assert_int_equal(config_find(&values, "listen.port")->line, 2);
	assert_int_equal(config_find(&values, "deid.options")->item_count, 0);
	assert_true(config_find(&values, "ratio")->number == 0.1);
	assert_false(config_find(&values, "strict")->boolean);
	assert_string_equal(config_find(&values, "peers")->items[1], "7");
	assert_null(config_find(&values, "peers")->items[2]);
	assert_string_equal(config_find(&values, "ae_title")->text, "123");
	config_values_fini(&values);
	manifest_free(manifest);
}

static void
a_missing_required_key_is_named(void **state)
{
	struct manifest *manifest = parse("name: a\nversion: '1'\nabi: 1\nconfig:\n"
					  "  url: {type: string, help: Where to}\n");
	struct config_values values = {0};
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(load("", 0, &manifest->schema, &values, &err), CAIRN_EINVAL);
	assert_string_equal(err.text, "f.yaml: missing key 'url': Where to");
	manifest_free(manifest);
}

static void
an_absent_file_is_an_error_that_names_it(void **state)
{
	struct config_values values = {0};
	struct cairn_error err = {0};
	const struct config_schema schema = {0};

	(void)state;
	assert_true(config_load("/nowhere/f.yaml", &schema, &values, &err) < 0);
	assert_non_null(strstr(err.text, "/nowhere/f.yaml"));
}

/* Removes the '#' from lines that hold an option, as an operator would. */
static void
uncomment(char *text)
{
	char *to = text;

	for (const char *at = text; *at != 0;) {
		size_t length = strcspn(at, "\n") + 1;

		if (at[0] == '#' && at[1] != '\n' && (at[1] != ' ' || at[2] == ' ')) {
			at++;
			length--;
		}
		memmove(to, at, length);
		to += length;
		at += length;
	}
	*to = 0;
}

static void
the_example_is_valid_and_means_the_defaults(void **state)
{
	struct manifest *manifest = parse(manifest_text);
	struct config_values values = {0};
	struct cairn_error err = {0};
	char *text = NULL;

	(void)state;
	assert_ok(manifest_example(manifest, &text, &err), &err);
	assert_non_null(strstr(text,
	    "# The title we answer to\n"
	    "# (a text from 1 to 16 characters)\n#ae_title: CAIRN\n"));
	assert_non_null(strstr(text,
	    "#listen:\n\n# TCP port\n"
	    "# (a whole number from 1 to 65535)\n#  port: 11112\n"));
	assert_ok(load(text, strlen(text), &manifest->schema, &values, &err), &err);
	config_values_fini(&values);
	uncomment(text);
	assert_ok(load(text, strlen(text), &manifest->schema, &values, &err), &err);
	for (size_t i = 0; i < values.count; i++)
		assert_int_not_equal(values.values[i].line, 0);
	assert_int_equal(config_find(&values, "listen.port")->integer, 11112);
	assert_string_equal(config_find(&values, "deid.options")->items[0], "retain-device");
	config_values_fini(&values);
	free(text);
	manifest_free(manifest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wrong_value_is_named_with_file_and_line),
	    cmocka_unit_test(what_is_no_plain_yaml_is_refused_with_its_line),
	    cmocka_unit_test(a_file_with_too_many_values_is_refused),
	    cmocka_unit_test(a_file_over_one_mebibyte_is_refused),
	    cmocka_unit_test(an_empty_file_gives_the_defaults),
	    cmocka_unit_test(a_file_overrides_the_defaults),
	    cmocka_unit_test(a_missing_required_key_is_named),
	    cmocka_unit_test(an_absent_file_is_an_error_that_names_it),
	    cmocka_unit_test(the_example_is_valid_and_means_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
