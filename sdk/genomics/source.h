/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_SOURCE_H
#define GENOMICS_SOURCE_H

/*
 * The text of a VCF file, a piece at a time: plain, BGZF (a run of blocks to be inflated by whoever
 * took it, with libdeflate), other gzip, and BCF, which htslib reads and writes as text.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#define SOURCE_PIECE ((size_t)2 << 20) /* bytes of text in a piece, about; BGZF: at most */

struct source;

struct source_piece {
	uint8_t *text; /* SOURCE_PIECE bytes and more where `capacity` says so */
	size_t length, capacity;
	uint8_t *packed; /* BGZF blocks that source_unpack() makes text of */
	size_t packed_length, packed_capacity;
};

/* Takes the descriptor over, also on failure. */
int source_open(struct source **ret, int fd, struct cairn_error *err);
void source_close(struct source *source);
bool source_is_bcf(const struct source *source);
/* The next piece; `*ret_end` where there is none.  From one thread at a time. */
int source_read(
    struct source *source, struct source_piece *piece, bool *ret_end, struct cairn_error *err);
/* Makes the piece's text, on any thread. */
int source_unpack(struct source_piece *piece, struct cairn_error *err);
void source_piece_fini(struct source_piece *piece);

#endif
