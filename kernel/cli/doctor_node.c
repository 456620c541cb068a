/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor hears from a running node and its plugins, and sees of their processes. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/client.h"
#include "cli/doctor.h"

#define PATIENCE_MS 3000u /* for plugins' answers */
#define PAUSE_NS 50000000
#define CLOCK_JUMP_MS 60000
#define QUEUE_LONG 100000
#define QUEUE_FULL 900000 /* jobs.h: 1,000,000 are a full queue */
#define WAIT_LONG_MS (10u * 60 * 1000)
#define FILE_MAX 65536

/* ---- processes -------------------------------------------------------------------------- */

static long long
open_files(int pid)
{
	char path[64];
	long long count = 0;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	dir = opendir(path);
	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count > 2 ? count - 2 : 0;
}

static long long
file_limit(int pid)
{
	static const char name[] = "Max open files";
	BUF_AUTO limits = {.max = FILE_MAX};
	char path[64];
	const char *text, *line;
	FILE *file;
	int c;

	snprintf(path, sizeof path, "/proc/%d/limits", pid);
	file = fopen(path, "re"); /* has no size, so that file_read() would see nothing */
	if (file == NULL)
		return 0;
	while ((c = getc(file)) != EOF) {
		char byte = (char)c;

		if (buf_append(&limits, &byte, 1) != 0)
			break;
	}
	fclose(file);
	text = buf_text(&limits);
	line = text == NULL ? NULL : strstr(text, name);
	return line == NULL ? 0 : strtoll(line + sizeof name - 1, NULL, 10);
}

static void
look_at_process(struct doctor *doctor, const char *about, int pid)
{
	long long open = open_files(pid), limit = file_limit(pid);
	bool many = limit > 0 && open * 100 > limit * 80;

	if (open < 0 || limit <= 0)
		return; /* gone, or another user's */
	if (many)
		doctor_say(doctor, about, open * 100 > limit * 95 ? DOCTOR_FAULT : DOCTOR_WARNING,
		    "without descriptors no connection is taken and no file opened",
		    "raise LimitNOFILE= in the service's unit, then restart the node",
		    "%lld of %lld descriptors are open", open, limit);
	else if (strcmp(about, "kernel") == 0)
		doctor_say(doctor, about, DOCTOR_FINE, "", "", "%lld of %lld descriptors are open",
		    open, limit);
}

/* ---- plugins' state --------------------------------------------------------------------- */

static void
look_at_state(struct doctor *doctor, const json_t *plugin)
{
	const char *name = cli_json_text(plugin, "name"), *state = cli_json_text(plugin, "state");
	const char *last = cli_json_text(plugin, "last_error");
	const char *earlier = cli_json_text(plugin, "earlier_error");
	long long restarts = cli_json_number(plugin, "restarts");
	char why[80], restart[160];

	snprintf(why, sizeof why, "cairn plugin why %.32s", name);
	snprintf(restart, sizeof restart,
	    "cairn plugin why %.20s; then: cairn plugin restart %.20s", name, name);
	if (strcmp(state, "failed") == 0)
		doctor_say(doctor, name, DOCTOR_FAULT, "it is down and is not started any more",
		    restart, "given up: %s", last[0] != 0 ? last : earlier);
	else if (strcmp(state, "ready") != 0)
		doctor_say(doctor, name,
		    strcmp(state, "waiting") == 0 ? DOCTOR_FAULT : DOCTOR_WARNING,
		    "it answers nothing meanwhile", why, "is %s%s%s", state,
		    last[0] != 0 ? ": " : "", last);
	else if (restarts > 0)
		doctor_say(doctor, name, DOCTOR_WARNING, "", why,
		    "crashed %lld %s; the last time: %s", restarts,
		    restarts == 1 ? "time" : "times", last[0] != 0 ? last : earlier);
	else
		doctor_say(doctor, name, DOCTOR_FINE, "", "", "version %s is ready for %lld s",
		    cli_json_text(plugin, "version"),
		    cli_json_number(plugin, "ready_for_ms") / 1000);
	if (cli_json_number(plugin, "refused") > 0)
		doctor_say(doctor, name, DOCTOR_WARNING,
		    "a plugin that tries what it may not is broken, or hostile", why,
		    "was refused %lld times; the last: %s", cli_json_number(plugin, "refused"),
		    cli_json_text(plugin, "last_refused"));
	if (cli_json_number(plugin, "events_dropped") > 0)
		doctor_say(doctor, name, DOCTOR_WARNING, "it is slower than what it subscribed to",
		    why, "%lld events were dropped", cli_json_number(plugin, "events_dropped"));
	if (cli_json_number(plugin, "pid") > 0)
		look_at_process(doctor, name, (int)cli_json_number(plugin, "pid"));
}

/* ---- plugins' health -------------------------------------------------------------------- */

static enum doctor_severity
severity_of(const char *word)
{
	if (strcmp(word, "fine") == 0)
		return DOCTOR_FINE;
	return strcmp(word, "warning") == 0 ? DOCTOR_WARNING : DOCTOR_FAULT;
}

/* Asks until every plugin that was asked has answered, or patience is over. */
static json_t *
ask_health(struct doctor *doctor)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
	json_t *answer = NULL;
	bool waits = true;

	for (bool first = true; waits; first = false) {
		const json_t *plugin;
		json_t *next = NULL;
		size_t index;

		if (!first)
			nanosleep(&pause, NULL);
		if (client_json(doctor->cli, "kernel.health", json_pack("{s:b}", "ask", first),
			&next, NULL) != 0)
			return answer;
		json_decref(answer);
		answer = next;
		waits = false;
		json_array_foreach(json_object_get(answer, "plugins"), index, plugin)
		{
			waits = waits ||
			    (json_is_true(json_object_get(plugin, "asked")) &&
				!json_is_true(json_object_get(plugin, "answered")));
		}
		waits = waits && clock_monotonic_ms() < end_ms;
	}
	return answer;
}

static void
look_at_health(struct doctor *doctor, const json_t *plugin)
{
	const char *name = cli_json_text(plugin, "name");
	const json_t *finding;
	size_t index;
	char advice[160];

	snprintf(advice, sizeof advice, "cairn plugin logs %.20s; cairn plugin restart %.20s", name,
	    name);
	if (json_is_true(json_object_get(plugin, "asked")) &&
	    !json_is_true(json_object_get(plugin, "answered")) &&
	    !json_is_true(json_object_get(plugin, "script")))
		doctor_say(doctor, name, DOCTOR_FAULT, "it hangs, or is busy with something long",
		    advice, "has not said how it is for %lld ms",
		    cli_json_number(plugin, "waited_ms"));
	json_array_foreach(json_object_get(plugin, "findings"), index, finding) doctor_say(doctor,
	    name, severity_of(cli_json_text(finding, "severity")), cli_json_text(finding, "why"),
	    cli_json_text(finding, "advice"), "%s", cli_json_text(finding, "what"));
}

static void
look_at_healths(struct doctor *doctor)
{
	json_t *health = ask_health(doctor);
	long long moved = cli_json_number(health, "clock_moved_ms");
	const json_t *plugin;
	size_t index;

	json_array_foreach(json_object_get(health, "plugins"), index, plugin)
	    look_at_health(doctor, plugin);
	if (moved > CLOCK_JUMP_MS || moved < -CLOCK_JUMP_MS)
		doctor_say(doctor, "kernel", DOCTOR_WARNING,
		    "permits expire and records are dated by it",
		    "see that the machine keeps its time: timedatectl",
		    "the clock was set %s by %lld s since the node started",
		    moved < 0 ? "back" : "forward", (moved < 0 ? -moved : moved) / 1000);
	json_decref(health);
}

/* ---- queues ----------------------------------------------------------------------------- */

static void
look_at_queue(struct doctor *doctor, const json_t *queue)
{
	const char *name = cli_json_text(queue, "queue");
	long long ready = cli_json_number(queue, "ready"), dead = cli_json_number(queue, "dead");

	if (dead > 0)
		doctor_say(doctor, "kernel", DOCTOR_WARNING,
		    "each failed as often as it may be tried, and waits for a person",
		    "cairn job list; then: cairn job retry, or cairn job drop",
		    "queue %s has %lld dead %s", name, dead, dead == 1 ? "letter" : "letters");
	if (ready + dead >= QUEUE_LONG)
		doctor_say(doctor, "kernel",
		    ready + dead >= QUEUE_FULL ? DOCTOR_FAULT : DOCTOR_WARNING,
		    "at 1,000,000 jobs nothing more is taken into it",
		    "cairn status: is the plugin that takes them ready?",
		    "%lld jobs wait in queue %s", ready + dead, name);
}

/* The first that is ready is the oldest: a queue whose oldest job is old grows, or stands. */
static void
look_at_oldest(struct doctor *doctor)
{
	uint64_t now = clock_wall_ms();
	json_t *answer = NULL;
	const json_t *job;
	size_t index;

	if (client_json(doctor->cli, "kernel.jobs", NULL, &answer, NULL) != 0)
		return;
	json_array_foreach(json_object_get(answer, "jobs"), index, job)
	{
		uint64_t put_ms = (uint64_t)cli_json_number(job, "put_ms");

		if (strcmp(cli_json_text(job, "state"), "dead") == 0 || put_ms == 0)
			continue;
		if (put_ms < now && now - put_ms > WAIT_LONG_MS)
			doctor_say(doctor, "kernel", DOCTOR_WARNING,
			    "jobs come in faster than they are done, or one stands in the way",
			    "cairn job list; cairn status",
			    "queue %s is behind: its oldest job waits for %" PRIu64 " s",
			    cli_json_text(job, "queue"), (now - put_ms) / 1000);
		break;
	}
	json_decref(answer);
}

/* ---- the node --------------------------------------------------------------------------- */

static void
look_at_node(struct doctor *doctor, const json_t *status)
{
	const json_t *node = json_object_get(status, "node"), *entry;
	size_t index;

	doctor_say(doctor, "kernel", DOCTOR_FINE, "", "", "running for %lld s, pid %lld",
	    cli_json_number(node, "uptime_ms") / 1000, cli_json_number(node, "pid"));
	look_at_process(doctor, "kernel", (int)cli_json_number(node, "pid"));
	if (json_is_true(json_object_get(json_object_get(status, "policy"), "differs")))
		doctor_say(doctor, "kernel", DOCTOR_WARNING,
		    "what officers changed does not decide yet", "cairn check; then: cairn reload",
		    "the files in policies/ are not those that decide");
	json_array_foreach(json_object_get(status, "queues"), index, entry)
	    look_at_queue(doctor, entry);
	look_at_oldest(doctor);
	json_array_foreach(json_object_get(status, "plugins"), index, entry)
	    look_at_state(doctor, entry);
}

/* One that has never run is being set up; one that has is missed. */
static void
say_down(struct doctor *doctor, const struct cairn_error *err)
{
	char path[PATH_MAX], advice[PATH_MAX + 64];
	bool ran = file_join(path, sizeof path, doctor->cli->home, "state/kernel/ledger") == 0 &&
	    file_exists(path);

	snprintf(advice, sizeof advice, "cairn --home %s run", doctor->cli->home);
	if (err->code != CAIRN_EUNAVAILABLE)
		doctor_say(doctor, "kernel", DOCTOR_FAULT,
		    "only what lies on the disk was looked at", "", "%s", err->text);
	else if (ran)
		doctor_say(doctor, "kernel", DOCTOR_FAULT,
		    "no image is taken and no question answered; only what lies on the disk was "
		    "looked at",
		    advice, "the node is not running");
	else
		doctor_say(doctor, "kernel", DOCTOR_WARNING,
		    "only what lies on the disk was looked at", advice, "the node has not run yet");
}

static void
look_at_links(struct doctor *doctor, const json_t *links)
{
	long long conflicts = cli_json_number(links, "conflicts");

	if (conflicts > 0)
		doctor_say(doctor, "kernel", DOCTOR_WARNING,
		    "by what connectors stated, identifiers of two patients are one's; nothing was "
		    "linked by it",
		    "cairn patient conflicts; then: cairn patient resolve ID --keep a|b|merge",
		    "%lld %s between patients' identifiers", conflicts,
		    conflicts == 1 ? "conflict" : "conflicts");
}

bool
doctor_node(struct doctor *doctor)
{
	struct cairn_error err = {0};
	json_t *status = NULL;

	if (client_json(doctor->cli, "kernel.status", NULL, &status, &err) != 0) {
		say_down(doctor, &err);
		return false;
	}
	look_at_node(doctor, status);
	look_at_links(doctor, json_object_get(status, "links"));
	look_at_healths(doctor);
	json_decref(status);
	return true;
}
