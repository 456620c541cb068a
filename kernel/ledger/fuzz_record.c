/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stored record with its stored hashes: the first byte says how many hashes, then
 * they come, then the record.  What is accepted as the first record says that it is the first. */
#include <string.h>

#include "ledger/check.h"
#include "ledger/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_bytes(struct check *check, const uint8_t *record, size_t length, const uint8_t *hashes,
    size_t hashes_length)
{
	const MDB_val record_val = {length, (void *)(uintptr_t)record};
	const MDB_val hashes_val = {hashes_length, (void *)(uintptr_t)hashes};
	uint8_t leaf[MERKLE_HASH];

	hasher_leaf(&check->hasher, record, length, leaf);
	if (check_record(check, &record_val, &hashes_val, NULL) == 0 &&
	    (hashes_length < MERKLE_HASH || memcmp(leaf, hashes, MERKLE_HASH) != 0))
		__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check check;
	uint8_t leaf[MERKLE_HASH];
	Cairn__Record *record = NULL;
	size_t hashes_length;

	if (size == 0 || check_init(&check, NULL) != 0)
		return 0;
	hashes_length = (size_t)data[0] * MERKLE_HASH;
	if (hashes_length > size - 1)
		hashes_length = size - 1;
	check_bytes(
	    &check, data + 1 + hashes_length, size - 1 - hashes_length, data + 1, hashes_length);
	/* The same bytes as record 0 with the right hash, so that the parser is reached. */
	hasher_leaf(&check.hasher, data + 1, size - 1, leaf);
	if (check.tree.size == 0)
		check_bytes(&check, data + 1, size - 1, leaf, sizeof leaf);
	if (check.tree.size == 1 && record_unpack(data + 1, size - 1, &record, NULL) == 0) {
		if (record->index != 0 || record->previous.len != 0)
			__builtin_trap();
		cairn__record__free_unpacked(record, NULL);
	}
	check_fini(&check);
	return 0;
}
