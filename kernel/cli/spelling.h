/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SPELLING_H
#define CLI_SPELLING_H

/* An expression on the command line: as text, or in a file as another language writes it. */

#include "cairn/cohort.pb-c.h"
#include "cli/cli.h"

struct spelling {
	const char *lens, *beacon; /* a file, or "-" for standard input; NULL: none */
	const char *keys;          /* a site's own table of Lens keys, or NULL */
};

/* Reads the one expression that there is: of the positional arguments or of a file.  `ret_text` is
 * its text, malloc'ed.  CLI_DONE, or the exit status after saying what is wrong. */
int spelling_read(const struct cli *cli, const struct spelling *spelling, int argc, char **argv,
    Cairn__Expression **ret, char **ret_text);

/* As text, lens or beacon; malloc'ed.  CLI_DONE, or the exit status after saying what is wrong. */
int spelling_write(const struct cli *cli, const struct spelling *spelling,
    const Cairn__Expression *expression, const char *to, char **ret);

#endif
