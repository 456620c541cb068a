/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_FILES_H
#define OBJECTS_FILES_H

/*
 * Objects that are files of their own: RECORD_FILE under files/PATH.
 *
 * The order makes every stop harmless: the bytes go to incoming/TARGET, a random number that their
 * record holds, and are synced; then the record is; then the file gets its name.  A record without
 * its file is finished by recovery from incoming/, a file without record is removed.
 */

#include "objects/commit.h"

/* Relative, at most RECORD_PATH_MAX bytes, components of at most 200 bytes that are not empty and
 * do not begin with a dot, no control characters and no backslash. */
bool objects_path_valid(const char *path);

/* For every RECORD_FILE put of the list: writes the file aside; sets put->code where that fails. */
void objects_files_stage(
    const struct objects_dirs *dirs, enum objects_durability durability, struct objects_put *first);
/* For those with code 0, gives the file its name (or removes what a tombstone names); for the
 * others removes the file. */
void objects_files_publish(
    const struct objects_dirs *dirs, enum objects_durability durability, struct objects_put *first);

/* Recovery: gives a recorded file its name, if it has not got it yet. */
int objects_files_finish(const struct objects_dirs *dirs, uint64_t target, const char *path);
int objects_files_remove(const struct objects_dirs *dirs, const char *path);
/* A descriptor, or a negative code.  Symbolic links are not followed. */
int objects_files_open(const struct objects_dirs *dirs, const char *path);
/* Removes all that is in incoming/. */
int objects_files_clean(const struct objects_dirs *dirs);

#endif
