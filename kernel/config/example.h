/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_EXAMPLE_H
#define CONFIG_EXAMPLE_H

/* Writing commented YAML.  Private to kernel/config. */

#include "base/buf.h"
#include "config/schema.h"

#define EXAMPLE_TEXT_MAX (1u << 20)

/* One paragraph as comment lines. */
int example_comment(struct buf *buf, const char *text);
/* Every option of a schema, commented out. */
/* Options that stand in the text as values, not as comments; ended by a NULL key.  Top level only.
 */
struct example_given {
	const char *key;
	const char *yaml;
};

/* `given` may be NULL. */
int example_schema(
    struct buf *buf, const struct config_schema *schema, const struct example_given *given);
/* Hands the text over, or turns `code` into an error. */
int example_take(struct buf *buf, int code, char **ret_text, struct cairn_error *err);

#endif
