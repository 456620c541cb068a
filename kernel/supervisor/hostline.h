/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_HOSTLINE_H
#define SUPERVISOR_HOSTLINE_H

/*
 * What a host says, line by line, as lines of its plugin's log.  A line of cairn_log() or of
 * base/log.h keeps its level and, where it is credible, its time, and a library's its topic
 * (`dicom: objects: ...`); any other (an interpreter's) becomes one of level info, or of the level
 * that a priority such as `<3>` before it says.  Whatever it holds, it is one line under the
 * plugin's name.
 */

#include <stdbool.h>

#include "base/log.h"

#define HOSTLINE_CRASH_MAX 256

struct hostline {
	const char *plugin, *version; /* borrowed */
	int pid;
	enum log_format format;
	struct buf out; /* whole lines */
	size_t length;  /* of `part` */
	char part[LOG_MESSAGE_MAX];
	char crash[HOSTLINE_CRASH_MAX]; /* what the host's crash handler said, or "" */
};

/* The host's handler writes this, then what it says. */
#define HOSTLINE_CRASH "<3>crash: "

/* What does not fit `out` is dropped. */
void hostline_take(struct hostline *lines, const char *bytes, size_t length);
/* A line that has no end yet ends here. */
void hostline_end(struct hostline *lines);

#endif
