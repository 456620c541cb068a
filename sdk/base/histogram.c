/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <stddef.h>

const double histogram_bounds[HISTOGRAM_BOUNDS] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

void
histogram_add(struct histogram *histogram, double value)
{
	size_t i = 0;

	while (i < HISTOGRAM_BOUNDS && value > histogram_bounds[i])
		i++;
	histogram->buckets[i]++;
	histogram->sum += value;
}

uint64_t
histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		count += histogram->buckets[i];
	return count;
}
