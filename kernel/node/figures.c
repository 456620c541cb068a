/* SPDX-License-Identifier: Apache-2.0 */
#include "node/figures.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "node/router.h"
#include "observe/endpoint.h"
#include "observe/metrics.h"

#define QUEUES_MAX 256
/* The system walks all pages for a process's figure: for a page of figures one may be older. */
#define MEMORY_AGE_MS 15000u
#define STATES 7

/* ---- plugins ---------------------------------------------------------------------------- */

typedef double (*plugin_figure_fn)(
    const struct node_plugin *plugin, const struct supervisor_info *info);

static double
restarts_of(const struct node_plugin *plugin, const struct supervisor_info *info)
{
	(void)plugin;
	return info->restarts;
}

static double
failures_of(const struct node_plugin *plugin, const struct supervisor_info *info)
{
	(void)plugin;
	return info->failures;
}

static double
memory_of(const struct node_plugin *plugin, const struct supervisor_info *info)
{
	return (double)memory_kb(plugin->node->memory, info->pid) * 1024;
}

static double
refused_of(const struct node_plugin *plugin, const struct supervisor_info *info)
{
	(void)info;
	return (double)plugin->refused;
}

static double
dropped_of(const struct node_plugin *plugin, const struct supervisor_info *info)
{
	(void)info;
	return (double)plugin->events_dropped;
}

static double
metrics_dropped_of(const struct node_plugin *plugin, const struct supervisor_info *info)
{
	(void)info;
	return (double)plugin->metrics_dropped;
}

static double
taken_of(const struct node_plugin *plugin, const struct supervisor_info *info)
{
	(void)info;
	return (double)plugin->taken_count;
}

static const struct {
	const char *name, *help;
	enum page_type type;
	plugin_figure_fn figure;
} plugin_figures[] = {
    {"cairn_plugin_restarts_total", "Starts that nobody asked for.", PAGE_COUNTER, restarts_of},
    {"cairn_plugin_failures_total", "Crashes and failed starts.", PAGE_COUNTER, failures_of},
    {"cairn_plugin_memory_bytes", "Proportional set size of the plugin's process.", PAGE_GAUGE,
	memory_of},
    {"cairn_plugin_refused_total", "Accesses that were refused.", PAGE_COUNTER, refused_of},
    {"cairn_plugin_events_dropped_total", "Events that it did not get.", PAGE_COUNTER, dropped_of},
    {"cairn_plugin_metrics_dropped_total", "Messages with figures that came too often.",
	PAGE_COUNTER, metrics_dropped_of},
    {"cairn_plugin_jobs_taken", "Jobs that it works on.", PAGE_GAUGE, taken_of},
};

static void
page_plugin_figures(const struct node *node, struct page *page)
{
	for (size_t i = 0; i < sizeof plugin_figures / sizeof plugin_figures[0]; i++) {
		page_family(
		    page, plugin_figures[i].name, plugin_figures[i].type, plugin_figures[i].help);
		for (size_t j = 0; j < node->plugin_count; j++) {
			const struct node_plugin *plugin = node->plugins[j];
			const struct page_label labels[] = {
			    {"plugin", plugin->config.manifest->name}, {NULL, NULL}};
			struct supervisor_info info = {0};

			if (plugin->process != NULL)
				supervisor_info_get(plugin->process, &info);
			page_sample(page, labels, plugin_figures[i].figure(plugin, &info));
		}
	}
}

static void
page_states(const struct node *node, struct page *page)
{
	page_family(page, "cairn_plugin_state", PAGE_GAUGE,
	    "1 for the state that the plugin is in, 0 for the others.");
	for (size_t i = 0; i < node->plugin_count; i++) {
		const struct node_plugin *plugin = node->plugins[i];

		for (unsigned state = 0; state < STATES; state++) {
			const struct page_label labels[] = {
			    {"plugin", plugin->config.manifest->name},
			    {"version",
				plugin->config.manifest->version == NULL
				    ? ""
				    : plugin->config.manifest->version},
			    {"state", supervisor_state_text((enum supervisor_state)state)},
			    {NULL, NULL}};

			page_sample(page, labels, node_plugin_state(plugin) == state);
		}
	}
}

/* ---- queues and the ledger -------------------------------------------------------------- */

static uint64_t
jobs_ready(const struct jobs_stats *stats)
{
	return stats->ready;
}

static uint64_t
jobs_taken_now(const struct jobs_stats *stats)
{
	return stats->taken;
}

static uint64_t
jobs_dead_now(const struct jobs_stats *stats)
{
	return stats->dead;
}

static uint64_t
jobs_done_ever(const struct jobs_stats *stats)
{
	return stats->done;
}

static void
page_queues(const struct node *node, struct page *page)
{
	static const struct {
		const char *name, *help;
		enum page_type type;
		uint64_t (*figure)(const struct jobs_stats *stats);
	} figures[] = {
	    {"cairn_jobs_ready", "Jobs that wait to be taken.", PAGE_GAUGE, jobs_ready},
	    {"cairn_jobs_taken", "Jobs that are worked on.", PAGE_GAUGE, jobs_taken_now},
	    {"cairn_jobs_dead", "Dead letters.", PAGE_GAUGE, jobs_dead_now},
	    {"cairn_jobs_done_total", "Jobs done since the node's birth.", PAGE_COUNTER,
		jobs_done_ever},
	};
	struct jobs_stats *stats = calloc(QUEUES_MAX, sizeof *stats);
	size_t count =
	    stats == NULL || node->jobs == NULL ? 0 : jobs_stats_get(node->jobs, stats, QUEUES_MAX);

	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
		page_family(page, figures[i].name, figures[i].type, figures[i].help);
		for (size_t j = 0; j < count && j < QUEUES_MAX; j++) {
			const struct page_label labels[] = {
			    {"queue", stats[j].queue}, {NULL, NULL}};

			page_sample(page, labels, (double)figures[i].figure(&stats[j]));
		}
	}
	free(stats);
}

static void
page_ledger(const struct node *node, struct page *page)
{
	char path[PATH_MAX];
	struct stat st = {.st_blocks = 0};

	page_figure(page, "cairn_ledger_records", PAGE_GAUGE, "Records in the ledger.",
	    node->ledger == NULL ? 0 : (double)ledger_count(node->ledger));
	if (file_join(path, sizeof path, node->config->home, "state/kernel/ledger/data.mdb") != 0 ||
	    stat(path, &st) != 0)
		st.st_blocks = 0;
	page_figure(page, "cairn_ledger_bytes", PAGE_GAUGE, "What the ledger takes on the disk.",
	    (double)st.st_blocks * 512);
}

/* ---- the process ------------------------------------------------------------------------ */

static double
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double count = -3; /* ".", ".." and the folder itself */

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static double
resident_bytes(void)
{
	BUF_AUTO text = {.max = 256};
	const char *space;

	if (file_read("/proc/self/statm", &text, NULL) != 0 || buf_text(&text) == NULL)
		return 0;
	space = strchr(buf_text(&text), ' ');
	return space == NULL ? 0
			     : (double)strtoull(space, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double
seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void
page_process(const struct node *node, struct page *page)
{
	uint64_t up_ms = clock_monotonic_ms() - node->started_ms;
	struct rusage usage = {0};
	struct rlimit files = {0};

	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &files);
	page_figure(page, "cairn_process_cpu_seconds_total", PAGE_COUNTER,
	    "Processor time of the kernel.",
	    seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
	page_figure(page, "cairn_process_resident_memory_bytes", PAGE_GAUGE,
	    "Resident memory of the kernel.", resident_bytes());
	page_figure(page, "cairn_process_open_fds", PAGE_GAUGE, "Open descriptors of the kernel.",
	    count_descriptors());
	page_figure(page, "cairn_process_max_fds", PAGE_GAUGE, "How many it may open.",
	    (double)files.rlim_cur);
	page_figure(page, "cairn_process_start_time_seconds", PAGE_GAUGE,
	    "When the kernel started, in Unix time.", (double)(clock_wall_ms() - up_ms) / 1000);
}

/* ---- the page --------------------------------------------------------------------------- */

static void
page_node(const struct node *node, struct page *page)
{
	const struct page_label labels[] = {
	    {"node", node->config->id}, {"role", node->config->role}, {NULL, NULL}};

	page_family(page, "cairn_node_info", PAGE_GAUGE, "Which node this is.");
	page_sample(page, labels, 1);
	page_figure(page, "cairn_calls_in_flight", PAGE_GAUGE, "Calls under way.",
	    (double)router_calls(node->router));
	page_figure(page, "cairn_metrics_pages_total", PAGE_COUNTER, "Pages like this one.",
	    (double)endpoint_pages(node->endpoint));
	page_figure(page, "cairn_metrics_refused_total", PAGE_COUNTER,
	    "Figures of plugins that were not taken: a bad name or too many.",
	    (double)node->metrics_refused);
}

void
figures_page(void *arg, struct page *page)
{
	const struct node *node = arg;

	if (memory_age_ms(node->memory) >= MEMORY_AGE_MS)
		memory_ask(node->memory);
	page_node(node, page);
	page_states(node, page);
	page_plugin_figures(node, page);
	page_queues(node, page);
	page_ledger(node, page);
	metrics_page(node->metrics, page);
	page_process(node, page);
}
