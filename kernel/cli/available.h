/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_AVAILABLE_H
#define CLI_AVAILABLE_H

/* plugins/available: one commented settings file per installed plugin. */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

/* Writes HOME/plugins/available/NAME.yaml from the manifest in the shared object, unless it is
 * there. */
int available_write(const char *home, const char *shared_object, struct cairn_error *err);

/* Calls `each(arg, path)` for every file of `folder` whose name ends with `suffix`. */
int available_files(const char *folder, const char *suffix,
    int (*each)(void *arg, const char *path, struct cairn_error *err), void *arg,
    struct cairn_error *err);

#endif
