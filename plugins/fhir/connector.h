/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_CONNECTOR_H
#define FHIR_CONNECTOR_H

/*
 * The FHIR connector, a map:
 *
 *   plugin.c    manifest, start, calls, stop
 *   import.c    files and folders (fhir.import): each file is one step
 *   pull.c      a server: search with paging, or $export (fhir.pull); a page, or some thousand
 * lines of a file, is one step step.c      what one step brings: collected in memory while it is
 * read, and when all of it was right: pseudonyms asked for, whose patient is not known kept
 * waiting, facts stated state.c     LMDB: which reference is which pseudonym, what waits, how far a
 * pull is person.c    a resource's facts as those of a pseudonymous patient: days shifted, ages
 * computed source.c map.c convert.c mapping.c   from bytes to facts by the mapping
 *
 * One step at a time: steps queue.  The loop never waits for the disk: what touches LMDB runs on a
 * worker thread, and the loop touches a step only between its phases.
 */

#include <stdbool.h>
#include <stdint.h>

#include <cairn/plugin.h>

#include "facts/facts.h"
#include "mapping.h"

struct connector;
struct state;
struct step;
struct import;
struct pull;

struct connector {
	struct cairn *cairn;
	struct mapping *mapping;
	struct facts *facts;
	struct state *state;
	struct step *steps, **last_step; /* the first one is under way */
	struct import *imports;
	struct pull *pull;
	bool stopping;
	bool closing;
	const char *mapping_name; /* "built in" or the file's */
	const uint8_t *key;       /* of digests */
	size_t key_length;
	uint64_t resources, unused, waiting; /* since the start */
};

/* Goes on with stopping once nothing is under way. */
void connector_rest(struct connector *connector);

#endif
