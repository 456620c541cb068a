/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PATHS_H
#define CLI_PATHS_H

/* Where the parts of an installation are, from where this program lies: PREFIX/bin, with
 * PREFIX/lib/cairn/plugins and PREFIX/share/cairn.  A build tree has the same shape. */

#include <limits.h>

/* PREFIX/bin/NAME */
int paths_program(const char *name, char ret[PATH_MAX]);
/* PREFIX/lib/cairn/plugins */
int paths_plugins(char ret[PATH_MAX]);
/* PREFIX/lib/cairn/NAME */
int paths_library(const char *name, char ret[PATH_MAX]);
/* PREFIX/share/cairn/NAME */
int paths_share(const char *name, char ret[PATH_MAX]);

#endif
