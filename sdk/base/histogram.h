/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

/* How often how long: counts in fixed buckets, in seconds.  A zeroed one is empty. */

#include <stdint.h>

#define HISTOGRAM_BOUNDS 16

/* A value is in the first bucket whose bound it does not exceed; the last one has none. */
extern const double histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* not cumulative */
	double sum;
};

void histogram_add(struct histogram *histogram, double value);
uint64_t histogram_count(const struct histogram *histogram);

#endif
