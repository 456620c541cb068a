/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

/*
 * What the kernel counts while it works, and what plugins say of themselves.  Labels are names from
 * manifests and configuration, never a principal's, a patient's or a request's.  Everything is
 * bounded: METRICS_SUBJECTS_MAX subjects (later ones are counted as "other"), METRICS_SERIES_MAX
 * series of one plugin.  Plugins send increments, so that counters outlive their processes; a gauge
 * is shown while the process that set it lives.  Every function takes a NULL `metrics`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cairn/bus.pb-c.h"
#include "observe/page.h"

#define METRICS_SUBJECTS_MAX 256
#define METRICS_PLUGINS_MAX 128
#define METRICS_SERIES_MAX 64

struct metrics;

/* NULL when out of memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* A call ended with `code` (enum cairn_code) after so many seconds. */
void metrics_call(struct metrics *metrics, const char *subject, int code, double seconds);
/* The guard decided; the policy took so long. */
void metrics_decision(struct metrics *metrics, const char *subject, bool permit, double seconds);

/* What a plugin sent: returns how many of its figures were not taken (a bad name or value, too many
 * series, another type than before). */
size_t metrics_take(struct metrics *metrics, const char *plugin, const Cairn__Metrics *message);
/* Its process is gone, and what its gauges said is not true any more. */
void metrics_gone(struct metrics *metrics, const char *plugin);

void metrics_page(const struct metrics *metrics, struct page *page);

#endif
