/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ENV_H
#define LEDGER_ENV_H

/*
 * What the kernel's LMDB environments share: opening with checks, a lock for the one writer, error
 * codes and words, keys that sort as the numbers they hold.
 *
 * LMDB must not open one environment twice in one process (its locks are the process's): a process
 * that writes an environment reads it through the writer's handle.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lmdb.h>

#include <cairn/error.h>

#define ENV_KEY_BYTES 8

/* Opens for writing: makes the directory (0700), takes the writer's lock, opens with full sync.
 * CAIRN_EUNAVAILABLE when another process (or this one) writes here already. */
int env_open_writer(
    MDB_env **ret, int *ret_lock_fd, const char *dir, size_t map_size, struct cairn_error *err);

/* Opens an existing environment for reading.  CAIRN_EINVAL when this process is its writer. */
int env_open_reader(MDB_env **ret, const char *dir, struct cairn_error *err);

/* Sets `err` for a result of LMDB and returns the code: CAIRN_ELIMIT when the map is full,
 * CAIRN_EIO for the system's errors (a full disk too), CAIRN_ECORRUPT, CAIRN_ENOTFOUND. */
int env_error(int rc, const char *what, struct cairn_error *err);

/* Big-endian keys. */
void env_key_put(uint8_t ret[ENV_KEY_BYTES], uint64_t number);
bool env_key_get(const MDB_val *key, uint64_t *ret); /* false when it is not 8 bytes long */

#endif
