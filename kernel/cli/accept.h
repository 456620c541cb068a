/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ACCEPT_H
#define CLI_ACCEPT_H

/*
 * Accepting a plugin's file: what `cairn plugin enable`, `install` and `upgrade` write to
 * HOME/plugins/trust.  A file that is seen for the first time is pinned by its digest and granted
 * what it asks for, and the operator is told; one that changed, or that asks for more than it was
 * granted, is accepted only when the operator says so.
 */

#include <stdbool.h>

#include "cli/cli.h"
#include "config/config.h"

struct accept_options {
	bool pin;          /* accept a file that is not the one that was accepted before */
	bool named;        /* the operator named this very file: pinned beside earlier versions */
	bool yes;          /* grant all that it asks for */
	bool ask;          /* show what it asks for, and ask on a terminal even the first time */
	const char *grant; /* "listen:tcp,put:facts": grant these; NULL: none */
};

int accept_plugin(const struct cli *cli, const char *name, const char *path,
    const struct accept_options *options, struct cairn_error *err);

#endif
