/* SPDX-License-Identifier: Apache-2.0 */
/* A command set that is parsed, built and parsed again is the same. */
#include <stdlib.h>
#include <string.h>

#include "dicom/dimse_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dimse_command command, again;
	BUF_AUTO out = {.max = DIMSE_COMMAND_MAX};

	memset(&command, 0, sizeof command);
	memset(&again, 0, sizeof again);
	if (dimse_command_parse(data, size, &command) != 0)
		return 0;
	if (dimse_command_build(&out, &command) != 0 ||
	    dimse_command_parse(out.data, out.length, &again) != 0 ||
	    memcmp(&command, &again, sizeof command) != 0)
		abort();
	return 0;
}
