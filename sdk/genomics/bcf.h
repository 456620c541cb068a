/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_BCF_H
#define GENOMICS_BCF_H

/* BCF as the text that it stands for, through htslib. */

#include "genomics/source.h"

struct bcf_text;

int bcf_text_open(struct bcf_text **ret, int fd, struct cairn_error *err); /* takes `fd` over */
void bcf_text_close(struct bcf_text *bcf);
int bcf_text_read(
    struct bcf_text *bcf, struct source_piece *piece, bool *ret_end, struct cairn_error *err);

#endif
