/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_MEND_H
#define OBJECTS_MEND_H

#include "objects/tail.h"

/*
 * After a sync has failed, the kernel may have marked pages clean that never reached the disk;
 * syncing again proves nothing.  With process durability records are acknowledged before they are
 * synced, so they cannot be dropped: each record of [from, to) that can still be read whole and
 * right is written over itself, which makes its pages dirty again, and then synced.  CAIRN_EIO when
 * that fails too.
 */
int objects_mend(const struct objects_dirs *dirs, const struct objects_io *io, uint32_t segment,
    uint64_t from, uint64_t to);

#endif
