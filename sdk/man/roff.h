/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAN_ROFF_H
#define MAN_ROFF_H

/* Manual pages in man(7): words that cannot be mistaken for requests, and the Markdown that our
 * documents use (headings, paragraphs, lists, tables, code, bold). */

#include <stdbool.h>

#include <cairn/error.h>

#include "base/buf.h"

#define ROFF_BYTES_MAX ((size_t)1 << 20)

/* `text` as plain words; "`", "**" and links are marks where `marks` is set. */
int roff_words(struct buf *buf, const char *text, size_t length, bool marks);
/* A line of its own: macro and argument, such as ".SH" and a heading. */
int roff_macro(struct buf *buf, const char *macro, const char *argument);
/* Lines as they are, from .nf to .fi. */
int roff_literal(struct buf *buf, const char *text);
/* A Markdown document without its first heading, whose sections become .SH. */
int roff_markdown(struct buf *buf, const char *text);

#endif
