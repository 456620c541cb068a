/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/words.h"
#include "observe/metrics.h"

#define NAME_MAX_BYTES 64
#define HELP_MAX_BYTES 160
#define VALUE_MAX_BYTES 64
#define PLUGIN_MAX_BYTES 64
#define PREFIX "cairn_plugin_own_"

struct series {
	char family[sizeof PREFIX + NAME_MAX_BYTES];
	char help[HELP_MAX_BYTES + 1];
	char label[NAME_MAX_BYTES + 1]; /* "" for none */
	char value[VALUE_MAX_BYTES + 1];
	enum page_type type;
	bool live; /* of a gauge: its process still runs */
	double number;
	struct histogram histogram;
};

struct series_set {
	char plugin[PLUGIN_MAX_BYTES + 1];
	struct series series[METRICS_SERIES_MAX];
	size_t count;
};

struct series_set *
series_set_new(const char *plugin)
{
	struct series_set *set = calloc(1, sizeof *set);

	if (set != NULL)
		snprintf(set->plugin, sizeof set->plugin, "%.*s", PLUGIN_MAX_BYTES, plugin);
	return set;
}

void
series_set_free(struct series_set *set)
{
	free(set);
}

const char *
series_set_plugin(const struct series_set *set)
{
	return set->plugin;
}

/* ---- taking ----------------------------------------------------------------------------- */

/* As the exposition format demands, in lower case. */
static bool
is_name(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= NAME_MAX_BYTES && text[0] >= 'a' && text[0] <= 'z' &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* `le` would make a histogram of what is none, `plugin` is the kernel's word. */
static bool
is_label(const char *text)
{
	return text[0] == 0 ||
	    (is_name(text) && strcmp(text, "le") != 0 && strcmp(text, "plugin") != 0);
}

static bool
is_sound(const Cairn__Metric *metric)
{
	return is_name(metric->name) && is_label(metric->label) &&
	    (metric->label[0] == 0 ? metric->value[0] == 0
				   : words_are_plain(metric->value, VALUE_MAX_BYTES)) &&
	    isfinite(metric->number) &&
	    (metric->kind == CAIRN__METRIC__KIND__GAUGE || metric->number >= 0) &&
	    (metric->kind == CAIRN__METRIC__KIND__HISTOGRAM
		    ? metric->n_buckets == HISTOGRAM_BOUNDS + 1
		    : metric->n_buckets == 0);
}

static enum page_type
type_of(const Cairn__Metric *metric)
{
	switch (metric->kind) {
	case CAIRN__METRIC__KIND__GAUGE:
		return PAGE_GAUGE;
	case CAIRN__METRIC__KIND__HISTOGRAM:
		return PAGE_HISTOGRAM;
	default:
		return PAGE_COUNTER;
	}
}

/* A family has one type and one label; NULL when it would not. */
static struct series *
series_get(struct series_set *set, const Cairn__Metric *metric)
{
	char family[sizeof PREFIX + NAME_MAX_BYTES];
	struct series *series;

	snprintf(family, sizeof family, PREFIX "%.*s", NAME_MAX_BYTES, metric->name);
	for (size_t i = 0; i < set->count; i++) {
		series = &set->series[i];
		if (strcmp(series->family, family) != 0)
			continue;
		if (series->type != type_of(metric) || strcmp(series->label, metric->label) != 0)
			return NULL;
		if (strcmp(series->value, metric->value) == 0)
			return series;
	}
	if (set->count == METRICS_SERIES_MAX)
		return NULL;
	series = &set->series[set->count++];
	memcpy(series->family, family, sizeof family);
	words_clean(series->help, sizeof series->help, metric->help, false);
	snprintf(series->label, sizeof series->label, "%s", metric->label);
	snprintf(series->value, sizeof series->value, "%s", metric->value);
	series->type = type_of(metric);
	return series;
}

bool
series_take(struct series_set *set, const Cairn__Metric *metric)
{
	struct series *series = is_sound(metric) ? series_get(set, metric) : NULL;

	if (series == NULL)
		return false;
	series->live = true;
	switch (series->type) {
	case PAGE_COUNTER:
		series->number += metric->number;
		break;
	case PAGE_GAUGE:
		series->number = metric->number;
		break;
	case PAGE_HISTOGRAM:
		for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
			series->histogram.buckets[i] += metric->buckets[i];
		series->histogram.sum += metric->number;
		break;
	}
	return true;
}

void
series_gone(struct series_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		set->series[i].live = false;
}

/* ---- the page --------------------------------------------------------------------------- */

static void
page_series(struct page *page, const struct series_set *set, const struct series *series)
{
	const struct page_label labels[] = {{"plugin", set->plugin},
	    {series->label[0] == 0 ? NULL : series->label, series->value}, {NULL, NULL}};

	if (series->type == PAGE_HISTOGRAM)
		page_histogram(page, labels, &series->histogram);
	else if (series->type == PAGE_COUNTER || series->live)
		page_sample(page, labels, series->number);
}

/* Whether an earlier series has the family, so that it is on the page already. */
static bool
is_shown(struct series_set *const *sets, size_t set, size_t index, const char *family)
{
	for (size_t i = 0; i <= set; i++) {
		size_t end = i == set ? index : sets[i]->count;

		for (size_t j = 0; j < end; j++) {
			if (strcmp(sets[i]->series[j].family, family) == 0)
				return true;
		}
	}
	return false;
}

static void
page_one_family(
    struct series_set *const *sets, size_t count, const struct series *first, struct page *page)
{
	page_family(page, first->family, first->type, first->help);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < sets[i]->count; j++) {
			const struct series *series = &sets[i]->series[j];

			if (strcmp(series->family, first->family) == 0 &&
			    series->type == first->type)
				page_series(page, sets[i], series);
		}
	}
}

void
series_page(struct series_set *const *sets, size_t count, struct page *page)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < sets[i]->count; j++) {
			const struct series *series = &sets[i]->series[j];

			if (!is_shown(sets, i, j, series->family))
				page_one_family(sets, count, series, page);
		}
	}
}
