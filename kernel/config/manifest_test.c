/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>

#include "base/file.h"
#include "base/test.h"
#include "config/config.h"

#define HEAD "name: a\nversion: 0.1.0\nabi: 1\n"

static void
a_manifest_says_what_the_plugin_is(void **state)
{
	static const char text[] =
	    HEAD "kind: connector\nsummary: Does a\n"
		 "serves: [{subject: a.b, request: cairn.CountRequest, "
		 "answer: cairn.CountAnswer, record: [level, count], "
		 "fulfils: []}, "
		 "{subject: a.c, guarded: false}]\n"
		 "capabilities: [listen:tcp, 'call:cohort.*', job:facts, record]\n";
	struct manifest *m = NULL;
	struct cairn_error err = {0};

	(void)state;
	assert_ok(manifest_parse(text, strlen(text), "a.so", &m, &err), &err);
	assert_string_equal(m->name, "a");
	assert_string_equal(m->version, "0.1.0");
	assert_int_equal(m->abi, 1);
	assert_string_equal(m->kind, "connector");
	assert_string_equal(m->summary, "Does a");
	assert_int_equal(m->serve_count, 2);
	assert_true(m->serves[0].guarded);
	assert_string_equal(m->serves[0].request, "cairn.CountRequest");
	assert_false(m->serves[1].guarded);
	assert_null(m->serves[1].request);
	assert_string_equal(m->serves[0].answer, "cairn.CountAnswer");
	assert_string_equal(m->serves[0].record[1], "count");
	assert_null(m->serves[0].record[2]);
	assert_null(m->serves[0].fulfils[0]);
	assert_null(m->serves[1].fulfils);
	assert_true(manifest_has(m, "record"));
	assert_true(manifest_has(m, "call:cohort.count"));
	assert_true(manifest_has(m, "listen:tcp"));
	assert_false(manifest_has(m, "call:cohorts.count"));
	assert_false(manifest_has(m, "job:facts2"));
	manifest_free(m);
}

struct golden {
	const char *text;
	const char *message;
};

/* long: a table */
static void
a_wrong_manifest_is_refused_with_its_line(void **state)
{
	static const struct golden cases[] = {
	    {"", "a.so:1: missing key 'abi'"},
	    {"abi: 1\nversion: '1'\n", "a.so:1: missing key 'name'"},
	    {"abi: 1\nname: a\n", "a.so:1: missing key 'version'"},
	    {"abi: 2\nnew_key: 1\n",
		"a.so:1: built for plugin ABI 2, and this kernel speaks up to 1; "
		"update Cairn or rebuild the plugin"},
	    {"abi: x\n", "a.so:1: 'abi' must be a whole number from 1"},
	    {"name: Dicom\nversion: '1'\nabi: 1\n",
		"a.so:1: name 'Dicom' must be made of a-z, 0-9 and '-' and begin with a letter"},
	    {"name: ../x\nversion: '1'\nabi: 1\n",
		"a.so:1: name '../x' must be made of a-z, 0-9 and '-' and begin with a letter"},
	    {"name: a\nversion: new\nabi: 1\n",
		"a.so:2: version 'new' must begin with a digit, like 0.1.0"},
	    {HEAD "sumary: x\n", "a.so:4: unknown key 'sumary'; did you mean 'summary'?"},
	    {HEAD "summary: \"a\\e[31m\"\n",
		"a.so:4: 'summary' must be one line of 1 to 300 characters"},
	    {HEAD "summary: \"a\\Lb\"\n",
		"a.so:4: 'summary' must be one line of 1 to 300 characters"},
	    {HEAD "kind: conector\n",
		"a.so:4: 'kind' takes connector, engine, sink or policy, not 'conector'; did you "
		"mean 'connector'?"},
	    {HEAD "serves: a.b\n", "a.so:4: 'serves' must be a list of at most 256"},
	    {HEAD "serves:\n  - {subject: a.b}\n  - {subject: a.b}\n",
		"a.so:6: serves 'a.b' twice"},
	    {HEAD "serves: [{subject: a.*}]\n",
		"a.so:4: 'subject' must be words of a-z, 0-9, '_' and '-' with dots between them"},
	    {HEAD "serves: [{subject: a.b, garded: false}]\n",
		"a.so:4: unknown key 'garded' in 'serves'; did you mean 'guarded'?"},
	    {HEAD "serves: [{subject: a.b, guarded: no}]\n",
		"a.so:4: 'guarded' must be true or false"},
	    {HEAD "serves: [{subject: a.b, fulfils: min_cell}]\n",
		"a.so:4: 'fulfils' must be a list of at most 32 words"},
	    {HEAD "serves: [{subject: a.b, record: [expression, Level]}]\n",
		"a.so:4: each entry of 'record' must be a word of at most 31 letters a-z, digits "
		"and "
		"'_'"},
	    {HEAD "capabilities: ['record:x']\n",
		"a.so:4: capability 'record:x' must read record, without a value"},
	    {HEAD "serves: [{subject: a.b, request: 'x y'}]\n",
		"a.so:4: 'request' must be a message name such as cairn.CountRequest"},
	    {HEAD "capabilities:\n  - listen:tcp\n  - objcts:read\n",
		"a.so:6: unknown capability 'objcts:read'; did you mean 'objects'?"},
	    {HEAD "capabilities: [objects:erase]\n",
		"a.so:4: capability 'objects:erase' must read objects:read or objects:write"},
	    {HEAD "capabilities: ['call:*']\n",
		"a.so:4: capability 'call:*' must read call:SUBJECT or call:PREFIX.*"},
	    {HEAD "capabilities: ['exec:bin/sh']\n",
		"a.so:4: capability 'exec:bin/sh' must read exec:/ABSOLUTE/PATH"},
	    {HEAD "capabilities: [listen]\n", "a.so:4: capability 'listen' must read listen:tcp"},
	    {HEAD "config: {Port: {type: integer}}\n",
		"a.so:4: option 'Port': a key is made of a-z, 0-9 and '_', with dots between "
		"words"},
	    {HEAD "config: {a: {type: bool}, a.b: {type: bool}}\n",
		"a.so:4: option 'a.b' cannot be beside option 'a', which would hold it"},
	    {HEAD "config: {a: {type: intger}}\n",
		"a.so:4: option 'a': a type is string, integer, number, bool or list, not "
		"'intger'; "
		"did you mean 'integer'?"},
	    {HEAD "config: {a: {default: 1}}\n", "a.so:4: option 'a' has no type"},
	    {HEAD "config: {a: {type: integer, min: 2, max: 1}}\n",
		"a.so:4: option 'a': min 2 is more than max 1"},
	    {HEAD "config: {a: {type: integer, max: 9, default: 10}}\n",
		"a.so:4: 'a' must be at most 9, found 10"},
	    {HEAD "config: {a: {type: integer, deflt: 10}}\n",
		"a.so:4: unknown key 'deflt' in 'a'; did you mean 'default'?"},
	    {HEAD "config: {a: {type: bool, min: 1}}\n",
		"a.so:4: option 'a': 'min' must be a number, and a bool has none"},
	    {HEAD "config: {a: {type: integer, choices: [1]}}\n",
		"a.so:4: option 'a': only string and list have choices"},
	    {HEAD "config: {a: {type: string, help: \"a\\nb: c\"}}\n",
		"a.so:4: option 'a': help must be one line of text"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct manifest *m = NULL;
		struct cairn_error err = {0};

		assert_true(
		    manifest_parse(cases[i].text, strlen(cases[i].text), "a.so", &m, &err) < 0);
		assert_string_equal(err.text, cases[i].message);
		assert_null(m);
	}
}

/* ---- ELF files, made here by hand ------------------------------------------------------- */

struct elf {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3]; /* null, names, manifest */
	char names[32];
	char text[256];
};

static struct elf
make_elf(const char *text, size_t length)
{
	static const char names[] = "\0.shstrtab\0.cairn.manifest";
	struct elf elf = {0};

	memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
	elf.header.e_ident[EI_CLASS] = ELFCLASS64;
	elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
	elf.header.e_type = ET_DYN;
#if defined(__x86_64__)
	elf.header.e_machine = EM_X86_64;
#else
	elf.header.e_machine = EM_AARCH64;
#endif
	elf.header.e_shoff = offsetof(struct elf, sections);
	elf.header.e_shentsize = sizeof(Elf64_Shdr);
	elf.header.e_shnum = 3;
	elf.header.e_shstrndx = 1;
	memcpy(elf.names, names, sizeof names);
	elf.sections[1] = (Elf64_Shdr){.sh_name = 1,
	    .sh_type = SHT_STRTAB,
	    .sh_offset = offsetof(struct elf, names),
	    .sh_size = sizeof names};
	elf.sections[2] = (Elf64_Shdr){.sh_name = 11,
	    .sh_type = SHT_PROGBITS,
	    .sh_offset = offsetof(struct elf, text),
	    .sh_size = length};
	assert_true(length <= sizeof elf.text);
	memcpy(elf.text, text, length);
	return elf;
}

static int
read_elf(const struct elf *elf, size_t size, struct manifest **ret, struct cairn_error *err)
{
	struct test_dir dir;
	char path[256];
	int code;

	test_dir_make(&dir);
	assert_int_equal(file_join(path, sizeof path, dir.path, "a.so"), 0);
	assert_int_equal(file_write(path, elf, size, 0600, NULL), 0);
	code = manifest_read(path, ret, err);
	if (code == 0)
		assert_string_equal((*ret)->path, path);
	else
		memmove(
		    err->text, strstr(err->text, "/a.so") + 1, strlen(strstr(err->text, "/a.so")));
	test_dir_remove(&dir);
	return code;
}

static void
a_manifest_is_read_from_its_section_up_to_the_first_zero(void **state)
{
	static const char text[] = HEAD "\0garbage: [";
	struct elf elf = make_elf(text, sizeof text);
	struct manifest *m = NULL;
	struct cairn_error err = {0};

	(void)state;
	assert_ok(read_elf(&elf, sizeof elf, &m, &err), &err);
	assert_string_equal(m->name, "a");
	manifest_free(m);
}

static void
expect_refusal(const struct elf *elf, size_t size, const char *message)
{
	struct manifest *m = NULL;
	struct cairn_error err = {0};

	assert_true(read_elf(elf, size, &m, &err) < 0);
	assert_string_equal(err.text, message);
	assert_null(m);
}

static void
a_damaged_shared_object_is_refused_with_the_reason(void **state)
{
	static const char text[] = HEAD;
	const struct elf good = make_elf(text, sizeof text);
	struct elf elf;

	(void)state;
#define REFUSED(CHANGE, MESSAGE) \
	elf = good;              \
	CHANGE;                  \
	expect_refusal(&elf, sizeof elf, "a.so: " MESSAGE)
#define UNUSABLE "not a usable shared object: "
	REFUSED(elf.header.e_ident[0] = 'x', UNUSABLE "it is no ELF file");
	REFUSED(elf.header.e_ident[EI_CLASS] = ELFCLASS32,
	    UNUSABLE "it was built for another kind of machine");
	REFUSED(
	    elf.header.e_type = ET_EXEC, UNUSABLE "it is no shared object (link it with -shared)");
	REFUSED(elf.header.e_shnum = 0, UNUSABLE "it has no section headers");
	REFUSED(elf.header.e_shnum = 5000, UNUSABLE "its section headers are out of range");
	REFUSED(elf.header.e_shstrndx = 3, UNUSABLE "its section headers are out of range");
	REFUSED(
	    elf.header.e_shoff = UINT64_MAX - 64, UNUSABLE "its section headers are out of range");
	REFUSED(elf.header.e_shoff = sizeof elf - 64,
	    UNUSABLE "it ends before what its header announces");
	REFUSED(elf.sections[1].sh_size = UINT64_MAX, UNUSABLE "a section is larger than the file");
	REFUSED(elf.sections[2].sh_offset = UINT64_MAX - 8,
	    UNUSABLE "it ends before what its header announces");
	REFUSED(
	    elf.sections[2].sh_type = SHT_NOBITS, UNUSABLE "its manifest section holds no bytes");
	REFUSED(elf.sections[0] = elf.sections[2], UNUSABLE "it has two manifests");
	REFUSED(elf.sections[2].sh_name = 0xffffffff,
	    "has no .cairn.manifest section: no Cairn plugin (CAIRN_PLUGIN() makes it)");
	REFUSED(elf.sections[2].sh_size = sizeof text - 1, "its manifest has no end");
	REFUSED(elf.sections[2].sh_size = 0, "its manifest has no end");
	elf = good;
	elf.text[0] = 'N';
	expect_refusal(
	    &elf, sizeof elf, "a.so (manifest):1: unknown key 'Name'; did you mean 'name'?");
	expect_refusal(&good, 20, "a.so: " UNUSABLE "it is too short for an ELF header");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_manifest_says_what_the_plugin_is),
	    cmocka_unit_test(a_wrong_manifest_is_refused_with_its_line),
	    cmocka_unit_test(a_manifest_is_read_from_its_section_up_to_the_first_zero),
	    cmocka_unit_test(a_damaged_shared_object_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
