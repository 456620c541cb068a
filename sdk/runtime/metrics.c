/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin counts is gathered here and sent at most once in FLUSH_MS, so that counting costs
 * next to nothing.  Counters and histograms travel as increments: the kernel adds them up, and a
 * plugin that starts again begins at zero without taking anything back.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "base/log.h"
#include "runtime/private.h"

#define FLUSH_MS 1000
#define VALUE_MAX 64

struct series {
	const struct cairn_metric *metric;
	char value[VALUE_MAX + 1];
	Cairn__Metric__Kind kind;
	bool changed;
	double number;
	struct histogram histogram;
};

struct metrics {
	struct series series[CAIRN_METRICS_MAX];
	size_t count;
	bool full_told;
};

static struct series *
series_add(struct metrics *metrics, const struct cairn_metric *metric, const char *value,
    Cairn__Metric__Kind kind)
{
	struct series *series;

	if (metrics->count == CAIRN_METRICS_MAX) {
		if (!metrics->full_told)
			log_warning(RUNTIME_TOPIC,
			    "more than %d series of metrics; what is beyond is not counted, "
			    "ignoring",
			    CAIRN_METRICS_MAX);
		metrics->full_told = true;
		return NULL;
	}
	series = &metrics->series[metrics->count++];
	series->metric = metric;
	series->kind = kind;
	memcpy(series->value, value, strlen(value) + 1);
	return series;
}

static struct series *
series_get(struct cairn *cairn, const struct cairn_metric *metric, const char *value,
    Cairn__Metric__Kind kind)
{
	struct metrics *metrics = cairn->metrics;

	if (value == NULL)
		value = "";
	assert((metric->label == NULL) == (value[0] == 0));
	if (strlen(value) > VALUE_MAX)
		return NULL;
	if (metrics == NULL)
		metrics = cairn->metrics = calloc(1, sizeof *metrics);
	if (metrics == NULL)
		return NULL;
	for (size_t i = 0; i < metrics->count; i++) {
		struct series *series = &metrics->series[i];

		if (series->metric == metric && series->kind == kind &&
		    strcmp(series->value, value) == 0)
			return series;
	}
	return series_add(metrics, metric, value, kind);
}

static void
on_timer(uv_timer_t *timer)
{
	metrics_flush(timer->data);
}

static void
changed(struct cairn *cairn, struct series *series)
{
	series->changed = true;
	if (!uv_is_active((uv_handle_t *)&cairn->metrics_timer) &&
	    !uv_is_closing((uv_handle_t *)&cairn->metrics_timer))
		uv_timer_start(&cairn->metrics_timer, on_timer, FLUSH_MS, 0);
}

void
cairn_metric_add(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double increment)
{
	struct series *series = series_get(cairn, metric, value, CAIRN__METRIC__KIND__COUNTER);

	if (series == NULL)
		return;
	series->number += increment;
	changed(cairn, series);
}

void
cairn_metric_set(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double number)
{
	struct series *series = series_get(cairn, metric, value, CAIRN__METRIC__KIND__GAUGE);

	if (series == NULL)
		return;
	series->number = number;
	changed(cairn, series);
}

void
cairn_metric_observe(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double seconds)
{
	struct series *series = series_get(cairn, metric, value, CAIRN__METRIC__KIND__HISTOGRAM);

	if (series == NULL)
		return;
	histogram_add(&series->histogram, seconds);
	changed(cairn, series);
}

/* ---- sending ---------------------------------------------------------------------------- */

static void
fill(Cairn__Metric *message, struct series *series)
{
	const struct cairn_metric *metric = series->metric;

	cairn__metric__init(message);
	message->kind = series->kind;
	message->name = (char *)(uintptr_t)metric->name;
	message->help = (char *)(uintptr_t)(metric->help == NULL ? "" : metric->help);
	message->label = (char *)(uintptr_t)(metric->label == NULL ? "" : metric->label);
	message->value = series->value;
	message->number = series->number;
	if (series->kind == CAIRN__METRIC__KIND__HISTOGRAM) {
		message->number = series->histogram.sum;
		message->buckets = series->histogram.buckets;
		message->n_buckets = HISTOGRAM_BOUNDS + 1;
	}
}

static void
sent(struct metrics *metrics)
{
	for (size_t i = 0; i < metrics->count; i++) {
		struct series *series = &metrics->series[i];

		series->changed = false;
		series->histogram = (struct histogram){.sum = 0};
		if (series->kind == CAIRN__METRIC__KIND__COUNTER)
			series->number = 0;
	}
}

static int
send_message(struct cairn *cairn, const Cairn__Metrics *message)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	size_t size = cairn__metrics__get_packed_size(message);
	uint8_t *bytes = malloc(size + 1);
	int code;

	if (bytes == NULL)
		return CAIRN_ENOMEM;
	envelope.kind = CAIRN__ENVELOPE__KIND__METRICS;
	envelope.body.data = bytes;
	envelope.body.len = cairn__metrics__pack(message, bytes);
	code = channel_send(cairn->channel, &envelope);
	free(bytes);
	return code;
}

/* What cannot be sent now is sent with what follows. */
void
metrics_flush(struct cairn *cairn)
{
	struct metrics *metrics = cairn->metrics;
	Cairn__Metrics message = CAIRN__METRICS__INIT;
	Cairn__Metric items[CAIRN_METRICS_MAX];
	Cairn__Metric *list[CAIRN_METRICS_MAX];

	if (metrics == NULL ||
	    (cairn->state != RUNTIME_RUNNING && cairn->state != RUNTIME_STOPPING))
		return;
	for (size_t i = 0; i < metrics->count; i++) {
		if (!metrics->series[i].changed)
			continue;
		fill(&items[message.n_metrics], &metrics->series[i]);
		list[message.n_metrics] = &items[message.n_metrics];
		message.n_metrics++;
	}
	message.metrics = list;
	if (message.n_metrics == 0)
		return;
	if (send_message(cairn, &message) == 0)
		sent(metrics);
	else
		uv_timer_start(&cairn->metrics_timer, on_timer, FLUSH_MS, 0);
}

void
metrics_free(struct cairn *cairn)
{
	free(cairn->metrics);
}
