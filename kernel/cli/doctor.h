/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

/* What `cairn doctor` finds, and where: on the disk, whether a node runs or not, and in the running
 * node. */

#include "cli/cli.h"

#define DOCTOR_FINDINGS_MAX 512

enum doctor_severity { DOCTOR_FINE, DOCTOR_WARNING, DOCTOR_FAULT };

struct doctor_finding {
	enum doctor_severity severity;
	char about[40]; /* "kernel", or a plugin's name */
	char *what, *why, *advice;
};

struct doctor {
	struct cli *cli;
	const char *only; /* one plugin's name, or "kernel"; NULL: all */
	bool full;        /* verify the whole ledger */
	struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
	size_t count, counts[3]; /* of each severity; also those beyond the maximum */
};

/* `what` is made like printf; `why` and `advice` may be "". */
void doctor_say(struct doctor *doctor, const char *about, enum doctor_severity severity,
    const char *why, const char *advice, const char *what, ...)
    __attribute__((format(printf, 6, 7)));

/* doctor_disk.c */
void doctor_disk(struct doctor *doctor);
/* doctor_ledger.c */
void doctor_ledger(struct doctor *doctor);
/* doctor_node.c: true when a node runs. */
bool doctor_node(struct doctor *doctor);

#endif
