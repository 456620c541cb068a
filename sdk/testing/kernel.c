/* SPDX-License-Identifier: Apache-2.0 */
/* The fake kernel: its life, its loop, its time, and what a plugin is told at its start. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <unistd.h>

#include "testing/private.h"

#define SETTLE_TURNS_MAX 10000
#define STOP_TIMEOUT_MS 10000 /* as node.yaml's default */

struct cairn_testing {
	struct cairn cairn;
};

struct cairn *
cairn_testing_cairn(struct cairn_testing *kernel)
{
	return &kernel->cairn;
}

/* ---- memory and the plugin's side --------------------------------------------------------- */

void *
testing_keep(struct cairn *kernel, size_t size)
{
	struct chunk *chunk = calloc(1, sizeof *chunk + size);

	assert_non_null(chunk);
	chunk->next = kernel->chunks;
	kernel->chunks = chunk;
	return chunk->bytes;
}

void *
testing_copy(struct cairn *kernel, const void *bytes, size_t length)
{
	char *copy = testing_keep(kernel, length + 1);

	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

void
testing_enter(void)
{
	got_resume();
}

void
testing_leave(struct cairn *kernel)
{
	got_pause();
	if (kernel->strayed && !kernel->freeing)
		fail_msg("the plugin called a function of cairn/plugin.h from another thread than "
			 "its loop's: only cairn_log() may be");
}

/* A test cannot fail on another thread: it is noted. */
void
testing_api(struct cairn *kernel, const char *function)
{
	uv_thread_t self = uv_thread_self();

	got_pause();
	if (!uv_thread_equal(&self, &kernel->thread)) {
		fprintf(stderr, "cairn-testing: %s was called from another thread\n", function);
		kernel->strayed = true;
	}
}

void
testing_api_end(void)
{
	got_resume();
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* One turn; false when it had nothing to do. */
bool
testing_turn(struct cairn *kernel)
{
	struct pollfd backend = {.fd = uv_backend_fd(&kernel->loop), .events = POLLIN};

	testing_enter();
	uv_run(&kernel->loop, UV_RUN_NOWAIT);
	testing_leave(kernel);
	return uv_backend_timeout(&kernel->loop) == 0 || poll(&backend, 1, 0) > 0;
}

static void
pause_shortly(struct cairn *kernel)
{
	struct pollfd backend = {.fd = uv_backend_fd(&kernel->loop), .events = POLLIN};

	poll(&backend, 1, 1);
}

void
cairn_testing_settle(struct cairn_testing *kernel)
{
	struct cairn *cairn = &kernel->cairn;
	uint64_t end_ms = testing_clock_real_ms() + CAIRN_TESTING_WAIT_MS;

	for (unsigned turns = 0; turns < SETTLE_TURNS_MAX; turns++) {
		if (testing_turn(cairn))
			continue;
		if (cairn->works == 0)
			return;
		pause_shortly(cairn);
		turns = 0;
		if (testing_clock_real_ms() > end_ms)
			fail_msg("work given to cairn_work() did not end");
	}
}

void
cairn_testing_wait(struct cairn_testing *kernel, const bool *flag)
{
	uint64_t end_ms = testing_clock_real_ms() + CAIRN_TESTING_WAIT_MS;

	while (!*flag) {
		if (!testing_turn(&kernel->cairn) && !*flag)
			pause_shortly(&kernel->cairn);
		if (testing_clock_real_ms() > end_ms)
			fail_msg("what the test waits for did not happen in %d ms",
			    CAIRN_TESTING_WAIT_MS);
	}
}

void
cairn_testing_advance(struct cairn_testing *kernel, unsigned ms)
{
	cairn_testing_settle(kernel);
	while (ms > 0) {
		int next = uv_backend_timeout(&kernel->cairn.loop);
		unsigned step = next <= 0 ? 1 : (unsigned)next;

		if (next < 0 || step > ms)
			step = ms;
		testing_clock_move(step);
		ms -= step;
		cairn_testing_settle(kernel);
	}
}

void
cairn_testing_real_time(struct cairn_testing *kernel, bool real)
{
	(void)kernel;
	testing_clock_run(real);
}

/* ---- life --------------------------------------------------------------------------------- */

struct cairn_testing *
cairn_testing_new(const char *const *settings)
{
	struct cairn_testing *kernel = calloc(1, sizeof *kernel);
	struct cairn *cairn;

	assert_non_null(kernel);
	cairn = &kernel->cairn;
	got_pause(); /* the test's own allocations are not the plugin's */
	testing_clock_start();
	assert_int_equal(uv_loop_init(&cairn->loop), 0);
	cairn->thread = uv_thread_self();
	cairn->last_sent = &cairn->sent;
	cairn->principal = cairn->purpose = "";
	snprintf(cairn->dir, sizeof cairn->dir, "/tmp/cairn-testing-XXXXXX");
	assert_non_null(mkdtemp(cairn->dir));
	for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
		assert_true(i < TESTING_SETTINGS_MAX);
		cairn->settings[cairn->setting_count++] =
		    testing_copy(cairn, settings[i], strlen(settings[i]));
	}
	return kernel;
}

void
cairn_testing_secret(
    struct cairn_testing *kernel, const char *name, const void *bytes, size_t length)
{
	struct cairn *cairn = &kernel->cairn;

	assert_true(cairn->secret_count < TESTING_SECRETS_MAX);
	cairn->secrets[cairn->secret_count++] = (struct secret){
	    testing_copy(cairn, name, strlen(name)), testing_copy(cairn, bytes, length), length};
}

void
cairn_testing_folder(struct cairn_testing *kernel, const char *what, const char *path)
{
	struct cairn *cairn = &kernel->cairn;
	bool objects = strcmp(what, "objects") == 0;

	if (!objects && strcmp(what, "intake") != 0)
		fail_msg("cairn_testing_folder() knows objects and intake, not '%s'", what);
	*(objects ? &cairn->objects : &cairn->intake) = testing_copy(cairn, path, strlen(path));
}

int
cairn_testing_try_start(
    struct cairn_testing *kernel, const struct cairn_plugin *plugin, struct cairn_error *err)
{
	struct cairn *cairn = &kernel->cairn;
	struct cairn_error none = {0};
	int code = 0;

	assert_false(cairn->started);
	assert_int_equal(plugin->abi, CAIRN_ABI);
	assert_true(plugin->size <= sizeof cairn->plugin);
	memcpy(&cairn->plugin, plugin, plugin->size);
	testing_enter();
	if (plugin->start != NULL)
		code = plugin->start(cairn, &cairn->self, err == NULL ? &none : err);
	testing_leave(cairn);
	cairn->started = code == 0;
	return code;
}

void
cairn_testing_start(struct cairn_testing *kernel, const struct cairn_plugin *plugin)
{
	struct cairn_error err = {0};
	int code = cairn_testing_try_start(kernel, plugin, &err);

	if (code != 0)
		fail_msg("start() failed: code %d: %s", code, err.text);
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void
name_handle(uv_handle_t *handle, void *arg)
{
	const char **name = arg;

	if (!uv_is_closing(handle))
		*name = uv_handle_type_name(handle->type);
}

/* The plugin's stop() may need answers, work and time to end. */
static void
stop_plugin(struct cairn_testing *kernel)
{
	struct cairn *cairn = &kernel->cairn;

	cairn->stopping = true;
	testing_enter();
	if (cairn->plugin.stop != NULL)
		cairn->plugin.stop(cairn->self);
	else
		cairn->stopped = true;
	testing_leave(cairn);
	cairn_testing_settle(kernel);
	if (!cairn->stopped) { /* after cairn_stopped() nothing is delivered, as in a host */
		testing_sent_cancel(cairn);
		cairn_testing_run_work(kernel);
	}
	for (unsigned ms = 0; ms < STOP_TIMEOUT_MS && !cairn->stopped; ms += 100)
		cairn_testing_advance(kernel, 100);
	if (!cairn->stopped)
		fail_msg(
		    "stop() was called, but cairn_stopped() was not within %d ms", STOP_TIMEOUT_MS);
}

static void
check_answered(const struct cairn *cairn)
{
	for (const struct cairn_request *req = cairn->requests; req != NULL; req = req->next) {
		if (!req->answered)
			fail_msg("a call of %s was never answered", req->subject);
	}
}

void
cairn_testing_stop(struct cairn_testing *kernel)
{
	struct cairn *cairn = &kernel->cairn;
	const char *open = NULL;

	if (cairn->started)
		stop_plugin(kernel);
	check_answered(cairn);
	testing_sent_close(cairn);
	cairn_testing_settle(kernel);
	uv_walk(&cairn->loop, name_handle, &open);
	if (open != NULL)
		fail_msg("stop() left a %s handle open on the loop", open);
	cairn->freeing = true;
	assert_int_equal(uv_loop_close(&cairn->loop), 0);
	nftw(cairn->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	while (cairn->chunks != NULL) {
		struct chunk *next = cairn->chunks->next;

		free(cairn->chunks);
		cairn->chunks = next;
	}
	free(kernel);
	testing_clock_end();
	got_resume();
}

void
cairn_stopped(struct cairn *cairn)
{
	testing_api(cairn, __func__);
	if (!cairn->stopping)
		fail_msg("cairn_stopped() was called, but nobody asked the plugin to stop");
	if (cairn->stopped)
		fail_msg("cairn_stopped() was called twice");
	cairn->stopped = true;
	testing_api_end();
}
