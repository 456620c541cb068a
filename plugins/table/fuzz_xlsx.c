/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a workbook. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "xlsx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cairn_error err = {0};
	struct xlsx *xlsx = NULL;
	struct row *row = malloc(sizeof *row);
	int fd = memfd_create("xlsx", MFD_CLOEXEC);

	if (row != NULL && fd >= 0 && file_write_all(fd, data, size) == 0 &&
	    xlsx_open(&xlsx, fd, NULL, &err) == 0) {
		while (xlsx_next(xlsx, row, &err) == 0)
			;
		xlsx_close(xlsx);
	}
	if (fd >= 0)
		close(fd);
	free(row);
	return 0;
}
