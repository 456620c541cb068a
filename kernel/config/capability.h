/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CAPABILITY_H
#define CONFIG_CAPABILITY_H

/* What a capability means, in words for the person who grants it: one table for every command. */

#include <stddef.h>

#define CAPABILITY_WORDS_MAX 400

/* "listen:tcp" -> "accept connections from the network". */
void capability_words(const char *capability, char ret[CAPABILITY_WORDS_MAX]);

#endif
