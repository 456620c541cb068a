/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/testing/fixture.h"

#include "base/clock.h"
#include "base/file.h"

static void
on_ready(void *arg, struct supervisor_plugin *plugin)
{
	struct fixture *fixture = arg;

	(void)plugin;
	fixture->seen.ready++;
}

static void
on_gone(void *arg, struct supervisor_plugin *plugin)
{
	struct fixture *fixture = arg;

	(void)plugin;
	fixture->seen.gone++;
}

static void
on_reply(struct seen *seen, const Cairn__Envelope *envelope)
{
	size_t length =
	    envelope->body.len < sizeof seen->body - 1 ? envelope->body.len : sizeof seen->body - 1;

	seen->replies++;
	seen->last_reply_id = envelope->id;
	seen->last_code = envelope->code;
	memcpy(seen->body, envelope->body.data, length);
	seen->body[length] = 0;
}

static void
on_message(void *arg, struct supervisor_plugin *plugin, const Cairn__Envelope *envelope)
{
	struct fixture *fixture = arg;

	if (fixture->tap != NULL)
		fixture->tap(fixture, plugin, envelope);
	if (envelope->kind == CAIRN__ENVELOPE__KIND__REPLY)
		on_reply(&fixture->seen, envelope);
	else if (envelope->kind == CAIRN__ENVELOPE__KIND__EVENT)
		fixture->seen.events++;
	else if (envelope->kind == CAIRN__ENVELOPE__KIND__JOB_DONE)
		fixture->seen.jobs_done += (unsigned)envelope->n_job_ids;
}

static void
on_event(void *arg, struct supervisor_plugin *plugin, const char *what, const char *reason)
{
	struct fixture *fixture = arg;
	struct seen *seen = &fixture->seen;

	(void)plugin;
	seen->started += strcmp(what, "started") == 0;
	seen->crashed += strcmp(what, "crashed") == 0;
	seen->start_failed += strcmp(what, "failed to start") == 0;
	seen->failed += strcmp(what, "failed") == 0;
	seen->stopped += strcmp(what, "stopped") == 0;
	if (strcmp(what, "started") != 0)
		snprintf(seen->reason, sizeof seen->reason, "%s", reason);
}

static void
ticked(uv_timer_t *timer)
{
	(void)timer;
}

void
fixture_init(struct fixture *fixture)
{
	memset(fixture, 0, sizeof *fixture);
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	uv_timer_init(&fixture->loop, &fixture->tick);
	uv_timer_start(&fixture->tick, ticked, 100, 100);
	uv_unref((uv_handle_t *)&fixture->tick);
	test_dir_make(&fixture->dir);
	fixture->options = (struct supervisor_options){.host_path = TEST_HOST_PATH,
	    .run_dir = fixture->dir.path,
	    .log_dir = fixture->dir.path,
	    .restart_limit = 1000,
	    .restart_window_s = 60,
	    .stop_timeout_ms = 10000,
	    .heartbeat_ms = 2000};
}

struct supervisor_plugin *
fixture_add(struct fixture *fixture, const char *name, const char *file, const char *version)
{
	char path[512];
	Cairn__Welcome welcome = CAIRN__WELCOME__INIT;
	struct supervisor_plugin_options options = {
	    .name = name, .version = version, .path = path, .welcome = &welcome, .user = fixture};
	struct supervisor_plugin *plugin;
	struct cairn_error err = {0};

	snprintf(path, sizeof path, "%s/%s.so", *file == '/' ? "" : TEST_PLUGIN_DIR, file);
	welcome.wire = 1;
	welcome.heartbeat_ms = fixture->options.heartbeat_ms;
	welcome.state_dir = fixture->dir.path;
	assert_ok(supervisor_add(fixture->supervisor, &options, &plugin, &err), &err);
	assert_ok(supervisor_start(plugin, &err), &err);
	return plugin;
}

void
fixture_open(struct fixture *fixture, const char *name, const char *file, const char *version)
{
	const struct supervisor_ops ops = {.ready = on_ready,
	    .gone = on_gone,
	    .message = on_message,
	    .event = on_event,
	    .work = fixture->work};
	struct cairn_error err = {0};

	assert_ok(supervisor_new(
		      &fixture->supervisor, &fixture->loop, &fixture->options, &ops, fixture, &err),
	    &err);
	fixture->plugin = fixture_add(fixture, name, file, version);
}

static void
closed(void *arg)
{
	struct fixture *fixture = arg;

	fixture->closed = true;
}

static bool
is_closed(struct fixture *fixture)
{
	return fixture->closed;
}

void
fixture_close(struct fixture *fixture)
{
	supervisor_close(fixture->supervisor, closed, fixture);
	WAIT_FOR(fixture, is_closed);
	uv_close((uv_handle_t *)&fixture->tick, NULL);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	test_dir_remove(&fixture->dir);
}

/* The host's log says why a wait was in vain. */
static void
show_log(struct fixture *fixture)
{
	char path[512];
	struct supervisor_info info;
	BUF_AUTO buf = {.max = 1 << 20};

	supervisor_info_get(fixture->plugin, &info);
	snprintf(path, sizeof path, "%s/%s.log", fixture->dir.path, info.name);
	if (file_read(path, &buf, NULL) == 0)
		fprintf(stderr, "%s\n", buf_text(&buf));
	fprintf(stderr, "state %s, last error: %s\n", supervisor_state_text(info.state),
	    info.last_error);
}

void
fixture_wait(struct fixture *fixture, bool (*condition)(struct fixture *fixture), const char *what)
{
	uint64_t deadline = clock_monotonic_ms() + WAIT_MS;

	while (!condition(fixture)) {
		if (clock_monotonic_ms() > deadline) {
			show_log(fixture);
			fail_msg("waited %d ms in vain for: %s", WAIT_MS, what);
		}
		uv_ref((uv_handle_t *)&fixture->tick);
		uv_run(&fixture->loop, UV_RUN_ONCE);
		uv_unref((uv_handle_t *)&fixture->tick);
	}
}

int
fixture_call(struct fixture *fixture, struct supervisor_plugin *plugin, const char *subject,
    const char *body)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.id = ++fixture->next_id;
	envelope.subject = (char *)(uintptr_t)subject;
	envelope.body.data = (uint8_t *)(uintptr_t)body;
	envelope.body.len = strlen(body);
	return supervisor_send(plugin, &envelope);
}

enum supervisor_state
fixture_state(struct fixture *fixture)
{
	struct supervisor_info info;

	supervisor_info_get(fixture->plugin, &info);
	return info.state;
}

int
fixture_pid(struct fixture *fixture)
{
	struct supervisor_info info;

	supervisor_info_get(fixture->plugin, &info);
	return info.pid;
}

void
fixture_count_stop(void *arg)
{
	struct fixture *fixture = arg;

	fixture->seen.told_stopped = true;
}

bool
is_ready(struct fixture *fixture)
{
	return fixture_state(fixture) == SUPERVISOR_READY;
}

bool
is_stopped(struct fixture *fixture)
{
	return fixture_state(fixture) == SUPERVISOR_STOPPED;
}

bool
is_failed(struct fixture *fixture)
{
	return fixture_state(fixture) == SUPERVISOR_FAILED;
}

bool
has_reply(struct fixture *fixture)
{
	return fixture->seen.last_reply_id == fixture->next_id;
}
