/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VCF_STATEMENT_H
#define VCF_STATEMENT_H

/* Tells the cohort engine whose genotypes are held.  Owner thread: the plugin's loop. */

#include <stdbool.h>
#include <stdint.h>

#include <cairn/error.h>

struct connector;
struct statement;

int statement_new(struct statement **ret, struct connector *connector, struct cairn_error *err);
/* The shelf changed: all of it is stated anew, soon, and import_stated() called then. */
void statement_refresh(struct statement *statement);
/* How often the shelf has changed, and whether the last of it is on its way to the engine. */
uint64_t statement_wanted(const struct statement *statement);
bool statement_is_told(const struct statement *statement);
const char *statement_failure(const struct statement *statement); /* NULL: none */
/* Facts must not be closed meanwhile; connector_rest() is called when it ends. */
bool statement_is_staging(const struct statement *statement);
/* True once its handle is closed; until then connector_rest() will be called. */
bool statement_close(struct statement *statement);
void statement_free(struct statement *statement);

#endif
