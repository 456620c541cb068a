/* SPDX-License-Identifier: Apache-2.0 */
#include "counts.h"

#include <stdlib.h>
#include <string.h>

#include "scp.h"

#define PAUSE_MS 1000

static const struct cairn_metric instances = {
    "instances_total", "Instances that came, by what became of them.", "outcome"};
static const struct cairn_metric bytes = {
    "received_bytes_total", "Bytes of instances that came over the network.", NULL};
static const struct cairn_metric associations = {
    "associations_total", "Associations asked for, by what became of them.", "outcome"};
static const struct cairn_metric open_now = {"associations_open", "Associations under way.", NULL};
static const struct cairn_metric held = {"instances_held", "Instances in the store.", NULL};

struct state {
	uint64_t stored, duplicates, refused, bytes, accepted, rejected;
	uint64_t open, held;
};

struct counts {
	struct connector *connector;
	uv_timer_t timer;
	struct state given;
	bool begun;
	void (*freed)(void *arg);
	void *arg;
};

static struct state
look(const struct connector *connector)
{
	struct scp_state scp;

	scp_state_get(connector->scp, &scp);
	return (struct state){.stored = connector->stored,
	    .duplicates = connector->duplicates,
	    .refused = connector->refused,
	    .bytes = scp.bytes,
	    .accepted = scp.associations,
	    .rejected = scp.rejected,
	    .open = scp.associated,
	    .held = objects_count(connector->objects)};
}

static void
add(struct cairn *cairn, const struct cairn_metric *metric, const char *value, uint64_t before,
    uint64_t now)
{
	if (now > before)
		cairn_metric_add(cairn, metric, value, (double)(now - before));
}

static void
give(struct counts *counts)
{
	struct cairn *cairn = counts->connector->cairn;
	struct state now = look(counts->connector), *given = &counts->given;

	add(cairn, &instances, "stored", given->stored, now.stored);
	add(cairn, &instances, "duplicate", given->duplicates, now.duplicates);
	add(cairn, &instances, "refused", given->refused, now.refused);
	add(cairn, &bytes, NULL, given->bytes, now.bytes);
	add(cairn, &associations, "accepted", given->accepted, now.accepted);
	add(cairn, &associations, "refused", given->rejected, now.rejected);
	if (!counts->begun || now.open != given->open)
		cairn_metric_set(cairn, &open_now, NULL, (double)now.open);
	if (!counts->begun || now.held != given->held)
		cairn_metric_set(cairn, &held, NULL, (double)now.held);
	counts->begun = true;
	*given = now;
}

static void
on_timer(uv_timer_t *timer)
{
	give(timer->data);
}

int
counts_new(struct counts **ret, struct connector *connector, struct cairn_error *err)
{
	struct counts *counts = calloc(1, sizeof *counts);

	if (counts == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	counts->connector = connector;
	counts->timer.data = counts;
	uv_timer_init(cairn_loop(connector->cairn), &counts->timer);
	uv_timer_start(&counts->timer, on_timer, PAUSE_MS, PAUSE_MS);
	*ret = counts;
	return 0;
}

static void
closed(uv_handle_t *handle)
{
	struct counts *counts = handle->data;

	counts->freed(counts->arg);
	free(counts);
}

void
counts_free(struct counts *counts, void (*freed)(void *arg), void *arg)
{
	give(counts);
	counts->freed = freed;
	counts->arg = arg;
	uv_close((uv_handle_t *)&counts->timer, closed);
}
