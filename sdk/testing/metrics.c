/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugin counts of itself. */
#include "testing/private.h"

static double *
number_of(struct cairn *cairn, const struct cairn_metric *metric, const char *value)
{
	struct testing_metric *found;

	if (value == NULL)
		value = "";
	if ((metric->label == NULL) != (value[0] == 0))
		fail_msg("the metric %s needs a value for its label, or has none", metric->name);
	for (size_t i = 0; i < cairn->metric_count; i++) {
		found = &cairn->metrics[i];
		if (found->metric == metric && strcmp(found->value, value) == 0)
			return &found->number;
	}
	if (cairn->metric_count == CAIRN_METRICS_MAX)
		fail_msg(
		    "more than %d metrics: %s would be dropped", CAIRN_METRICS_MAX, metric->name);
	found = &cairn->metrics[cairn->metric_count++];
	found->metric = metric;
	if (snprintf(found->value, sizeof found->value, "%s", value) >= (int)sizeof found->value)
		fail_msg("the metric %s has a label of more than %zu bytes", metric->name,
		    sizeof found->value - 1);
	return &found->number;
}

void
cairn_metric_add(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double increment)
{
	if (increment < 0)
		fail_msg("the counter %s would go down", metric->name);
	*number_of(cairn, metric, value) += increment;
}

void
cairn_metric_set(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double number)
{
	*number_of(cairn, metric, value) = number;
}

void
cairn_metric_observe(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double seconds)
{
	(void)seconds;
	*number_of(cairn, metric, value) += 1;
}

double
cairn_testing_metric(struct cairn_testing *kernel, const char *name, const char *value)
{
	const struct cairn *cairn = cairn_testing_cairn(kernel);

	for (size_t i = 0; i < cairn->metric_count; i++) {
		const struct testing_metric *metric = &cairn->metrics[i];

		if (strcmp(metric->metric->name, name) == 0 &&
		    strcmp(metric->value, value == NULL ? "" : value) == 0)
			return metric->number;
	}
	return 0;
}
