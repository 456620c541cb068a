/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/file.h"

#define MIB ((uint64_t)1 << 20)
#define LAG_MS 60000u /* a batch is written within a second; so long nothing means trouble */
#define FULL_PERCENT 80

/* 0 when there is no index yet. */
static uint64_t
index_mb(struct cairn *cairn)
{
	char path[4096];
	struct stat st;

	if (file_join(path, sizeof path, cairn_state_dir(cairn), "index/data.mdb") != 0 ||
	    stat(path, &st) != 0)
		return 0;
	return ((uint64_t)st.st_size + MIB - 1) / MIB;
}

static uint64_t
free_mb(struct cairn *cairn)
{
	struct statvfs fs;

	return statvfs(cairn_state_dir(cairn), &fs) == 0 ? fs.f_bavail * fs.f_frsize / MIB
							 : UINT64_MAX;
}

/* ---- check ------------------------------------------------------------------------------- */

static void
check_map(struct cairn *cairn, struct cairn_findings *findings)
{
	uint64_t now = index_mb(cairn), map = (uint64_t)cairn_config_integer(cairn, "map_size_mb");
	char what[256];

	if (now >= map) {
		snprintf(what, sizeof what,
		    "the index is %llu MiB already, and map_size_mb allows %llu",
		    (unsigned long long)now, (unsigned long long)map);
		cairn_finding(findings,
		    &(struct cairn_finding){CAIRN_FAULT, what, "no further fact could be taken in",
			"raise map_size_mb in plugins/available/cohort.yaml; it costs disk only as "
			"it is used"});
	} else if (map - now > free_mb(cairn) && now * 100 >= map * FULL_PERCENT) {
		snprintf(what, sizeof what, "%llu MiB are free for the index to grow",
		    (unsigned long long)free_mb(cairn));
		cairn_finding(findings,
		    &(struct cairn_finding){CAIRN_WARNING, what,
			"map_size_mb would let it grow further than the disk does",
			"make room on the disk of the node's home"});
	}
}

static void
check_memory(struct cairn *cairn, struct cairn_findings *findings)
{
	uint64_t query = (uint64_t)cairn_config_integer(cairn, "query_mb");
	struct rlimit limit;
	char what[256];

	if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
	    query < limit.rlim_cur / MIB)
		return;
	snprintf(what, sizeof what, "query_mb is %llu, and plugin_memory_mb allows %llu in all",
	    (unsigned long long)query, (unsigned long long)(limit.rlim_cur / MIB));
	cairn_finding(findings,
	    &(struct cairn_finding){CAIRN_FAULT, what, "a large question would end the plugin",
		"lower query_mb, or raise plugin_memory_mb in node.yaml"});
}

void
cohort_check_settings(struct cairn *cairn, struct cairn_findings *findings)
{
	check_map(cairn, findings);
	check_memory(cairn, findings);
}

/* ---- health ------------------------------------------------------------------------------ */

static void
say_lag(const struct cohort_state *state, struct cairn_findings *findings)
{
	uint64_t behind_ms =
	    state->busy_since_ms == 0 ? 0 : clock_monotonic_ms() - state->busy_since_ms;
	char what[256], time[CLOCK_TEXT_MAX] = "none since the plugin started";

	if (state->written_ms != 0)
		clock_text(state->written_ms, time);
	snprintf(what, sizeof what, "%zu jobs of facts wait; the last facts were taken in: %s",
	    state->jobs, time);
	cairn_finding(findings,
	    &(struct cairn_finding){behind_ms > LAG_MS ? CAIRN_WARNING : CAIRN_FINE, what,
		behind_ms > LAG_MS ? "counts do not show what has come since" : "",
		behind_ms > LAG_MS ? "cairn plugin logs cohort; is the disk slow or full?" : ""});
}

static void
say_space(struct cairn *cairn, struct cairn_findings *findings)
{
	uint64_t now = index_mb(cairn), map = (uint64_t)cairn_config_integer(cairn, "map_size_mb");
	bool full = now * 100 >= map * FULL_PERCENT;
	char what[256];

	snprintf(what, sizeof what, "the index takes %llu of at most %llu MiB",
	    (unsigned long long)now, (unsigned long long)map);
	cairn_finding(findings,
	    &(struct cairn_finding){full ? CAIRN_WARNING : CAIRN_FINE, what,
		full ? "when it is full, no further fact is taken in" : "",
		full ? "raise map_size_mb in plugins/available/cohort.yaml, then: cairn plugin "
		       "restart cohort"
		     : ""});
}

/* Facts may be on their way for a while; after that the index lacks something. */
static void
say_whole(const struct cohort_state *state, struct cairn_findings *findings)
{
	const struct source *source = state->source;
	struct cairn_error err = {0};
	struct index_stats stats;
	char what[256];

	if (source_whole(source, state->index, &err) != 0) {
		cairn_finding(findings,
		    &(struct cairn_finding){CAIRN_WARNING, err.text,
			"questions are refused until it has the facts of all images again",
			"wait; if the numbers stand still: cairn status; cairn plugin logs dicom"});
		return;
	}
	if (source->differs_since_ms == 0 ||
	    clock_monotonic_ms() - source->differs_since_ms <= LAG_MS ||
	    index_stats(state->index, &stats, &err) != 0)
		return;
	snprintf(what, sizeof what, "%llu images are held, and the index has %llu",
	    (unsigned long long)source->images,
	    (unsigned long long)stats.entities[CAIRN__LEVEL__INSTANCE]);
	cairn_finding(findings,
	    &(struct cairn_finding){CAIRN_WARNING, what, "counts are not those of the images held",
		"cairn job list, for facts not applied; cairn export '*' DIR --purpose "
		"operations names what is counted and not held; then: cairn cohort reindex"});
}

void
cohort_health(
    struct cairn *cairn, const struct cohort_state *state, struct cairn_findings *findings)
{
	char what[256];

	say_lag(state, findings);
	say_space(cairn, findings);
	say_whole(state, findings);
	if (state->failure[0] == 0)
		return;
	snprintf(what, sizeof what, "the last facts could not be written: %.200s", state->failure);
	cairn_finding(findings,
	    &(struct cairn_finding){CAIRN_FAULT, what,
		"they are kept as jobs and tried again, and are in no count yet",
		"cairn plugin logs cohort; then: cairn job list"});
}
