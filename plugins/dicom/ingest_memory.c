/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One budget over all instances on their way.  Headers and trailers are small, as a rule; who sends
 * endless ones on many associations must not starve the others, so it is not the last that is
 * refused but the one that holds most.
 */
#include <string.h>

#include "ingest_private.h"

static uint64_t
held_bytes(const struct ingest *ingest)
{
	return (uint64_t)ingest->head.capacity + ingest->held.capacity + ingest->packed.capacity +
	    ingest->plain.capacity + ingest->trailer.capacity;
}

static void
count(struct ingest *ingest)
{
	uint64_t now = held_bytes(ingest);

	ingest->connector->buffered += now - ingest->charged;
	ingest->charged = now;
}

void
ingest_link(struct ingest *ingest)
{
	struct connector *connector = ingest->connector;

	ingest->next = connector->ingests;
	ingest->link = &connector->ingests;
	if (ingest->next != NULL)
		ingest->next->link = &ingest->next;
	connector->ingests = ingest;
}

void
ingest_unlink(struct ingest *ingest)
{
	*ingest->link = ingest->next;
	if (ingest->next != NULL)
		ingest->next->link = ingest->link;
	buf_fini(&ingest->head);
	buf_fini(&ingest->held);
	buf_fini(&ingest->packed);
	buf_fini(&ingest->plain);
	buf_fini(&ingest->trailer);
	count(ingest);
	explicit_bzero(&ingest->scan, sizeof ingest->scan);
}

/* What is being committed cannot be taken back. */
static struct ingest *
find_largest(struct connector *connector)
{
	struct ingest *largest = NULL;

	for (struct ingest *at = connector->ingests; at != NULL; at = at->next) {
		if (at->state != INGEST_COMMITTING &&
		    (largest == NULL || at->charged > largest->charged))
			largest = at;
	}
	return largest;
}

void
ingest_charge(struct ingest *ingest)
{
	struct connector *connector = ingest->connector;

	if (ingest->abandoned)
		return;
	count(ingest);
	while (connector->buffered > connector->buffered_max) {
		struct ingest *largest = find_largest(connector);

		if (largest == NULL || largest->charged == 0)
			return;
		ingest_refuse(largest, CAIRN_ELIMIT, STATUS_OUT_OF_RESOURCES,
		    "headers under way fill %llu MiB (memory_mb), and this one is the largest; "
		    "send again later",
		    (unsigned long long)(connector->buffered_max >> 20));
	}
}

void
ingest_stop_all(struct connector *connector)
{
	struct ingest *next;

	for (struct ingest *at = connector->ingests; at != NULL; at = next) {
		next = at->next;
		if (at->state == INGEST_COMMITTING)
			continue;
		ingest_refuse(
		    at, CAIRN_ECANCELLED, STATUS_OUT_OF_RESOURCES, "the connector is stopping");
		next = connector->ingests; /* `done` may have ended others, too */
	}
}
