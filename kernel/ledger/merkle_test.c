/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/merkle.h"

#include "base/test.h"
#include "base/text.h"

#define LEAVES_MAX 300

/* Perfect subtrees as they were completed, by the leaf that completed them. */
struct forest {
	struct hasher hasher;
	struct merkle tree;
	uint8_t leaves[LEAVES_MAX][MERKLE_HASH];
	uint8_t stored[LEAVES_MAX][MERKLE_LEVELS][MERKLE_HASH];
};

static int
node(void *arg, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct cairn_error *err)
{
	struct forest *forest = arg;
	uint64_t leaf = ((index + 1) << level) - 1;

	(void)err;
	assert_true(leaf < forest->tree.size);
	assert_true(level < merkle_completed(leaf));
	memcpy(ret, forest->stored[leaf][level], MERKLE_HASH);
	return 0;
}

static void
grow(struct forest *forest, const void *bytes, size_t length)
{
	uint64_t index = forest->tree.size;
	unsigned count;

	hasher_leaf(&forest->hasher, bytes, length, forest->leaves[index]);
	count = merkle_push(
	    &forest->tree, &forest->hasher, forest->leaves[index], forest->stored[index]);
	assert_int_equal(count, merkle_completed(index));
}

static int
setup(void **state)
{
	struct forest *forest = calloc(1, sizeof *forest);

	assert_int_equal(hasher_init(&forest->hasher), 0);
	*state = forest;
	return 0;
}

static int
teardown(void **state)
{
	struct forest *forest = *state;

	hasher_fini(&forest->hasher);
	free(forest);
	return 0;
}

static void
fill(struct forest *forest, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		grow(forest, &i, sizeof i);
}

/* MTH() as RFC 9162 2.1.1 defines it. */
static void
root_by_definition(struct forest *forest, size_t from, size_t to, uint8_t ret[MERKLE_HASH])
{
	uint8_t left[MERKLE_HASH], right[MERKLE_HASH];
	size_t k = 1;

	if (to - from == 1) {
		memcpy(ret, forest->leaves[from], MERKLE_HASH);
		return;
	}
	while (k * 2 < to - from)
		k *= 2;
	root_by_definition(forest, from, from + k, left);
	root_by_definition(forest, from + k, to, right);
	hasher_node(&forest->hasher, left, right, ret);
}

/* The inputs of the certificate transparency test suite; the roots from Python's hashlib by the
 * definition in RFC 9162 2.1.1. */
static void
roots_match_the_known_ones(void **state)
{
	static const char *const inputs[] = {"", "00", "10", "2021", "3031", "40414243",
	    "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
	static const char *const roots[] = {
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
	struct forest *forest = *state;
	uint8_t root[MERKLE_HASH], bytes[16];
	char text[2 * MERKLE_HASH + 1];

	for (size_t i = 0; i <= 8; i++) {
		merkle_root(&forest->tree, &forest->hasher, root);
		text_hex(root, sizeof root, text);
		assert_string_equal(text, roots[i]);
		if (i == 8)
			break;
		assert_int_equal(text_unhex(inputs[i], bytes, strlen(inputs[i]) / 2), 0);
		grow(forest, bytes, strlen(inputs[i]) / 2);
	}
	assert_false(forest->hasher.failed);
}

static void
the_right_edge_loads_for_every_size(void **state)
{
	struct forest *forest = *state;
	const struct merkle_source source = {node, forest};
	uint8_t expected[MERKLE_HASH], root[MERKLE_HASH];
	struct merkle tree;

	fill(forest, LEAVES_MAX);
	for (size_t size = 1; size <= LEAVES_MAX; size++) {
		assert_int_equal(merkle_load(&tree, &source, size, NULL), 0);
		merkle_root(&tree, &forest->hasher, root);
		root_by_definition(forest, 0, size, expected);
		assert_memory_equal(root, expected, MERKLE_HASH);
	}
}

/* Every leaf in every tree of up to 70 leaves, and in one of 300. */
static void
every_inclusion_proof_leads_to_the_root(void **state)
{
	struct forest *forest = *state;
	const struct merkle_source source = {node, forest};
	struct merkle_proof proof;
	uint8_t root[MERKLE_HASH];

	fill(forest, LEAVES_MAX);
	for (size_t size = 1; size <= LEAVES_MAX; size = size == 70 ? LEAVES_MAX : size + 1) {
		root_by_definition(forest, 0, size, root);
		for (uint64_t index = 0; index < size; index++) {
			proof = (struct merkle_proof){.index = index, .size = size};
			assert_int_equal(merkle_path(&source, &forest->hasher, &proof, NULL), 0);
			assert_true(merkle_path_leads(
			    &proof, &forest->hasher, forest->leaves[index], root));
		}
	}
}

static void
an_altered_proof_leads_nowhere(void **state)
{
	struct forest *forest = *state;
	const struct merkle_source source = {node, forest};
	struct merkle_proof proof = {.index = 37, .size = 100}, bad;
	uint8_t root[MERKLE_HASH];

	fill(forest, 100);
	root_by_definition(forest, 0, 100, root);
	assert_int_equal(merkle_path(&source, &forest->hasher, &proof, NULL), 0);
	for (size_t i = 0; i < proof.count * MERKLE_HASH; i++) {
		bad = proof;
		bad.path[i / MERKLE_HASH][i % MERKLE_HASH] ^= 1;
		assert_false(merkle_path_leads(&bad, &forest->hasher, forest->leaves[37], root));
	}
	assert_false(merkle_path_leads(&proof, &forest->hasher, forest->leaves[36], root));
	bad = proof;
	bad.index = 36;
	assert_false(merkle_path_leads(&bad, &forest->hasher, forest->leaves[37], root));
	bad = proof;
	bad.count--;
	assert_false(merkle_path_leads(&bad, &forest->hasher, forest->leaves[37], root));
	bad.count = proof.count + 1;
	assert_false(merkle_path_leads(&bad, &forest->hasher, forest->leaves[37], root));
	bad.count = SIZE_MAX;
	assert_false(merkle_path_leads(&bad, &forest->hasher, forest->leaves[37], root));
	bad = (struct merkle_proof){0};
	assert_false(merkle_path_leads(&bad, &forest->hasher, forest->leaves[37], root));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(roots_match_the_known_ones),
	    TEST(the_right_edge_loads_for_every_size),
	    TEST(every_inclusion_proof_leads_to_the_root),
	    TEST(an_altered_proof_leads_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
