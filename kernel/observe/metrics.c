/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/metrics.h"

#include <stdlib.h>
#include <string.h>

#include <cairn/error.h>

#include "observe/series.h"

#define SUBJECT_MAX 120

enum result { OK, DENIED, TIMEOUT, CANCELLED, UNAVAILABLE, FAILED, RESULTS };
static const char *const result_names[RESULTS] = {
    "ok", "denied", "timeout", "cancelled", "unavailable", "failed"};

struct subject {
	char name[SUBJECT_MAX + 1];
	uint64_t results[RESULTS];
	struct histogram latency;
	uint64_t permits, denials;
	struct histogram decisions;
};

struct metrics {
	struct subject *subjects[METRICS_SUBJECTS_MAX + 1]; /* the last one is "other" */
	size_t subject_count;
	struct series_set *plugins[METRICS_PLUGINS_MAX];
	size_t plugin_count;
};

struct metrics *
metrics_new(void)
{
	return calloc(1, sizeof(struct metrics));
}

void
metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	for (size_t i = 0; i < metrics->subject_count; i++)
		free(metrics->subjects[i]);
	for (size_t i = 0; i < metrics->plugin_count; i++)
		series_set_free(metrics->plugins[i]);
	free(metrics);
}

/* ---- what the kernel counts ------------------------------------------------------------- */

static struct subject *
subject_get(struct metrics *metrics, const char *name)
{
	struct subject *subject;

	if (metrics == NULL)
		return NULL;
	for (size_t i = 0; i < metrics->subject_count; i++) {
		if (strcmp(metrics->subjects[i]->name, name) == 0)
			return metrics->subjects[i];
	}
	if (metrics->subject_count > METRICS_SUBJECTS_MAX)
		return metrics->subjects[METRICS_SUBJECTS_MAX];
	if (metrics->subject_count == METRICS_SUBJECTS_MAX || strlen(name) > SUBJECT_MAX)
		name = "other";
	subject = calloc(1, sizeof *subject);
	if (subject == NULL)
		return NULL;
	memcpy(subject->name, name, strlen(name) + 1);
	metrics->subjects[metrics->subject_count++] = subject;
	return subject;
}

static enum result
result_of(int code)
{
	switch (code) {
	case 0:
		return OK;
	case CAIRN_EDENIED:
		return DENIED;
	case CAIRN_ETIMEOUT:
		return TIMEOUT;
	case CAIRN_ECANCELLED:
		return CANCELLED;
	case CAIRN_EUNAVAILABLE:
		return UNAVAILABLE;
	default:
		return FAILED;
	}
}

void
metrics_call(struct metrics *metrics, const char *subject, int code, double seconds)
{
	struct subject *figures = subject_get(metrics, subject);

	if (figures == NULL)
		return;
	figures->results[result_of(code)]++;
	histogram_add(&figures->latency, seconds);
}

void
metrics_decision(struct metrics *metrics, const char *subject, bool permit, double seconds)
{
	struct subject *figures = subject_get(metrics, subject);

	if (figures == NULL)
		return;
	*(permit ? &figures->permits : &figures->denials) += 1;
	histogram_add(&figures->decisions, seconds);
}

/* ---- what plugins say ------------------------------------------------------------------- */

static struct series_set *
set_find(const struct metrics *metrics, const char *plugin)
{
	for (size_t i = 0; metrics != NULL && i < metrics->plugin_count; i++) {
		if (strcmp(series_set_plugin(metrics->plugins[i]), plugin) == 0)
			return metrics->plugins[i];
	}
	return NULL;
}

size_t
metrics_take(struct metrics *metrics, const char *plugin, const Cairn__Metrics *message)
{
	struct series_set *set = set_find(metrics, plugin);
	size_t refused = 0;

	if (metrics == NULL)
		return 0;
	if (set == NULL) {
		if (metrics->plugin_count == METRICS_PLUGINS_MAX ||
		    (set = series_set_new(plugin)) == NULL)
			return message->n_metrics;
		metrics->plugins[metrics->plugin_count++] = set;
	}
	for (size_t i = 0; i < message->n_metrics; i++) {
		if (!series_take(set, message->metrics[i]))
			refused++;
	}
	return refused;
}

void
metrics_gone(struct metrics *metrics, const char *plugin)
{
	struct series_set *set = set_find(metrics, plugin);

	if (set != NULL)
		series_gone(set);
}

/* ---- the page --------------------------------------------------------------------------- */

static void
page_results(const struct metrics *metrics, struct page *page)
{
	page_family(
	    page, "cairn_calls_total", PAGE_COUNTER, "Calls that ended, by subject and result.");
	for (size_t i = 0; i < metrics->subject_count; i++) {
		const struct subject *subject = metrics->subjects[i];

		for (size_t result = 0; result < RESULTS; result++) {
			const struct page_label labels[] = {{"subject", subject->name},
			    {"result", result_names[result]}, {NULL, NULL}};

			page_sample(page, labels, (double)subject->results[result]);
		}
	}
}

static void
page_decisions(const struct metrics *metrics, struct page *page)
{
	page_family(page, "cairn_policy_decisions_total", PAGE_COUNTER,
	    "Decisions of the site's policy, by subject and verdict.");
	for (size_t i = 0; i < metrics->subject_count; i++) {
		const struct subject *subject = metrics->subjects[i];
		const struct page_label permit[] = {
		    {"subject", subject->name}, {"verdict", "permit"}, {NULL, NULL}};
		const struct page_label deny[] = {
		    {"subject", subject->name}, {"verdict", "deny"}, {NULL, NULL}};

		page_sample(page, permit, (double)subject->permits);
		page_sample(page, deny, (double)subject->denials);
	}
	page_family(page, "cairn_policy_decision_seconds", PAGE_HISTOGRAM,
	    "How long the policy took to decide.");
	for (size_t i = 0; i < metrics->subject_count; i++) {
		const struct page_label labels[] = {
		    {"subject", metrics->subjects[i]->name}, {NULL, NULL}};

		page_histogram(page, labels, &metrics->subjects[i]->decisions);
	}
}

void
metrics_page(const struct metrics *metrics, struct page *page)
{
	if (metrics == NULL)
		return;
	page_results(metrics, page);
	page_family(page, "cairn_call_seconds", PAGE_HISTOGRAM,
	    "How long calls took, from the caller to the caller.");
	for (size_t i = 0; i < metrics->subject_count; i++) {
		const struct page_label labels[] = {
		    {"subject", metrics->subjects[i]->name}, {NULL, NULL}};

		page_histogram(page, labels, &metrics->subjects[i]->latency);
	}
	page_decisions(metrics, page);
	series_page(metrics->plugins, metrics->plugin_count, page);
}
