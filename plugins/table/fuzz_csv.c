/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a table; the first chooses how it is read. */
#include <stdlib.h>
#include <string.h>

#include "csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *at;
	size_t left, step;
};

static int
read_bytes(void *arg, uint8_t *bytes, size_t size, size_t *ret_length, struct cairn_error *err)
{
	struct bytes *from = arg;
	size_t length = from->left < from->step ? from->left : from->step;

	(void)err;
	length = length < size ? length : size;
	if (length > 0)
		memcpy(bytes, from->at, length);
	from->at += length;
	from->left -= length;
	*ret_length = length;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct csv *csv = size == 0 ? NULL : malloc(sizeof *csv);
	struct row *row = malloc(sizeof *row);

	if (csv != NULL && row != NULL) {
		struct bytes from = {data + 1, size - 1, (data[0] & 2) != 0 ? 3 : 65536};

		csv_init(csv, read_bytes, &from, (data[0] & 4) != 0 ? ';' : ',', data[0] & 1);
		while (csv_next(csv, row, NULL) == 0) {
			for (size_t i = 0; i < row->count; i++) {
				if (strlen(row->cells[i].text) != row->cells[i].length)
					abort();
			}
		}
		csv_fini(csv);
	}
	free(csv);
	free(row);
	return 0;
}
