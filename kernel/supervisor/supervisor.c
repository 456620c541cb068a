/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/supervisor.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/channel.h"
#include "runtime/runtime.h"
#include "supervisor/private.h"

#define HANDSHAKE_MS 10000u
#define LOG_SIZE_MAX ((uint64_t)10 << 20)
#define LOG_FILES 5u
#define WELCOME_MAX ((size_t)4 << 20)

const char *
supervisor_state_text(enum supervisor_state state)
{
	static const char *const texts[] = {
	    "stopped", "starting", "ready", "waiting", "stopping", "failed", "prepared"};

	return texts[state];
}

/* ---- making ----------------------------------------------------------------------------- */

/* A kernel that was killed leaves its sockets behind; their hosts died with it. */
static void
remove_old_sockets(const char *run_dir)
{
	DIR *dir = opendir(run_dir);
	const struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);
		const char *number = strchr(entry->d_name, '.');

		if (number == NULL || length < 5 ||
		    strcmp(entry->d_name + length - 5, ".sock") != 0)
			continue;
		number++;
		if (strspn(number, "0123456789") == 0 ||
		    strcmp(number + strspn(number, "0123456789"), ".sock") != 0)
			continue; /* the kernel's other sockets have no number */
		if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
			log_warning(SUPERVISOR_TOPIC, "cannot remove %s/%s, ignoring", run_dir,
			    entry->d_name);
	}
	closedir(dir);
}

static void
supervisor_free(struct supervisor *supervisor)
{
	arena_fini(&supervisor->arena);
	free(supervisor->host_path);
	free(supervisor->run_dir);
	free(supervisor->log_dir);
	free(supervisor);
}

int
supervisor_new(struct supervisor **ret, uv_loop_t *loop, const struct supervisor_options *options,
    const struct supervisor_ops *ops, void *arg, struct cairn_error *err)
{
	struct supervisor *supervisor = calloc(1, sizeof *supervisor);

	if (supervisor == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	supervisor->loop = loop;
	supervisor->options = *options;
	supervisor->ops = *ops;
	supervisor->arg = arg;
	arena_init(&supervisor->arena, CHANNEL_ARENA_MAX);
	if (supervisor->options.heartbeat_limit_ms == 0)
		supervisor->options.heartbeat_limit_ms = 3 * options->heartbeat_ms;
	if (supervisor->options.log_size_max == 0)
		supervisor->options.log_size_max = LOG_SIZE_MAX;
	if (supervisor->options.log_files == 0)
		supervisor->options.log_files = LOG_FILES;
	if (supervisor->options.handshake_ms == 0)
		supervisor->options.handshake_ms = HANDSHAKE_MS;
	supervisor->host_path = strdup(options->host_path);
	supervisor->run_dir = strdup(options->run_dir);
	supervisor->log_dir = strdup(options->log_dir);
	if (supervisor->host_path == NULL || supervisor->run_dir == NULL ||
	    supervisor->log_dir == NULL) {
		supervisor_free(supervisor);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	remove_old_sockets(supervisor->run_dir);
	*ret = supervisor;
	return 0;
}

static void
plugin_free(struct supervisor_plugin *plugin)
{
	breaker_fini(&plugin->breaker);
	free(plugin->name);
	free(plugin->version);
	free(plugin->path);
	free(plugin->interpreter);
	if (plugin->object_fd > 0)
		close(plugin->object_fd);
	free(plugin->welcome);
	free(plugin);
}

int
supervisor_set_welcome(
    struct supervisor_plugin *plugin, const Cairn__Welcome *welcome, struct cairn_error *err)
{
	size_t size = cairn__welcome__get_packed_size(welcome);
	uint8_t *packed;

	if (size > WELCOME_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "the configuration of plugin %s is larger than %zu bytes", plugin->name,
		    WELCOME_MAX);
	packed = malloc(size + 1); /* an empty one is not a failure */
	if (packed == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	free(plugin->welcome);
	plugin->welcome = packed;
	plugin->welcome_length = cairn__welcome__pack(welcome, packed);
	return 0;
}

static int
duplicate(int fd, int *ret)
{
	int copy = fd <= 0 ? 0 : fcntl(fd, F_DUPFD_CLOEXEC, RUNTIME_OBJECT_FD + 1);

	if (copy < 0)
		return CAIRN_EIO;
	*ret = copy;
	return 0;
}

int
supervisor_set_object(struct supervisor_plugin *plugin,
    const struct supervisor_plugin_options *options, struct cairn_error *err)
{
	const char *interpreter = options->interpreter;
	char *version = strdup(options->version), *path = strdup(options->path);
	char *runs = interpreter == NULL ? NULL : strdup(interpreter);
	int fd = 0;

	if (version == NULL || path == NULL || (interpreter != NULL && runs == NULL) ||
	    duplicate(options->object_fd, &fd) != 0) {
		free(version);
		free(path);
		free(runs);
		return cairn_error_set(
		    err, CAIRN_ENOMEM, "plugin %s: no memory or no descriptor left", options->name);
	}
	free(plugin->version);
	free(plugin->path);
	free(plugin->interpreter);
	if (plugin->object_fd > 0)
		close(plugin->object_fd);
	plugin->version = version;
	plugin->quiet = options->quiet;
	plugin->path = path;
	plugin->interpreter = runs;
	plugin->object_fd = fd;
	return 0;
}

static int
plugin_copy(struct supervisor_plugin *plugin, const struct supervisor_plugin_options *options,
    struct cairn_error *err)
{
	int code = supervisor_set_object(plugin, options, err);

	if (code != 0)
		return code;
	plugin->name = strdup(options->name);
	if (plugin->name == NULL ||
	    breaker_init(&plugin->breaker, plugin->supervisor->options.restart_limit,
		plugin->supervisor->options.restart_window_s) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	return supervisor_set_welcome(plugin, options->welcome, err);
}

int
supervisor_add(struct supervisor *supervisor, const struct supervisor_plugin_options *options,
    struct supervisor_plugin **ret, struct cairn_error *err)
{
	struct supervisor_plugin *plugin;
	int code;

	if (strlen(options->name) > SUPERVISOR_NAME_MAX || strpbrk(options->name, "/.") != NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "'%s' is not a plugin's name", options->name);
	plugin = calloc(1, sizeof *plugin);
	if (plugin == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	plugin->supervisor = supervisor;
	plugin->user = options->user;
	plugin->standby = options->standby;
	code = plugin_copy(plugin, options, err);
	if (code != 0) {
		plugin_free(plugin);
		return code;
	}
	plugin->timer.data = plugin;
	uv_timer_init(supervisor->loop, &plugin->timer);
	plugin->next = supervisor->plugins;
	supervisor->plugins = plugin;
	*ret = plugin;
	return 0;
}

/* ---- using ------------------------------------------------------------------------------ */

void
supervisor_refuse(struct supervisor_plugin *plugin, const char *reason)
{
	if (plugin->state != SUPERVISOR_STOPPED)
		return;
	plugin->state = SUPERVISOR_FAILED;
	snprintf(plugin->last_error, sizeof plugin->last_error, "%s", reason);
}

int
supervisor_start(struct supervisor_plugin *plugin, struct cairn_error *err)
{
	if (plugin->supervisor->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the node is stopping");
	if (plugin->state != SUPERVISOR_STOPPED)
		return cairn_error_set(err, CAIRN_EEXIST, "plugin %s is %s already", plugin->name,
		    supervisor_state_text(plugin->state));
	return plugin_start(plugin, err);
}

void
supervisor_stop(struct supervisor_plugin *plugin, void (*stopped)(void *arg), void *arg)
{
	struct waiter *waiter = stopped == NULL ? NULL : calloc(1, sizeof *waiter);

	plugin->start_again = false;
	if (waiter != NULL) {
		*waiter = (struct waiter){.next = plugin->waiters, .stopped = stopped, .arg = arg};
		plugin->waiters = waiter;
	}
	plugin_stop(plugin);
	if (stopped != NULL && waiter == NULL)
		stopped(arg); /* out of memory: too early is better than never */
}

int
supervisor_restart(struct supervisor_plugin *plugin, struct cairn_error *err)
{
	if (plugin->supervisor->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the node is stopping");
	breaker_clear(&plugin->breaker);
	plugin->start_again = true;
	plugin_stop(plugin);
	return 0;
}

int
supervisor_send(struct supervisor_plugin *plugin, const Cairn__Envelope *envelope)
{
	bool droppable = envelope->kind == CAIRN__ENVELOPE__KIND__EVENT;

	if (plugin->state != SUPERVISOR_READY || plugin->process == NULL)
		return CAIRN_EUNAVAILABLE;
	return droppable ? process_send(plugin->process, envelope)
			 : process_command(plugin->process, envelope);
}

void
supervisor_info_get(const struct supervisor_plugin *plugin, struct supervisor_info *ret)
{
	*ret = (struct supervisor_info){.name = plugin->name,
	    .version = plugin->version,
	    .path = plugin->path,
	    .state = plugin->state,
	    .restarts = plugin->restarts,
	    .starts = plugin->starts,
	    .failures = plugin->failures};
	if (plugin->process != NULL)
		ret->pid = process_pid(plugin->process);
	if (plugin->state == SUPERVISOR_READY)
		ret->ready_for_ms = clock_monotonic_ms() - plugin->ready_since_ms;
	if (plugin->state == SUPERVISOR_WAITING)
		ret->next_try_ms = uv_timer_get_due_in(&plugin->timer);
	memcpy(ret->last_error, plugin->last_error, sizeof ret->last_error);
	memcpy(ret->earlier_error, plugin->earlier_error, sizeof ret->earlier_error);
}

enum supervisor_state
supervisor_state_get(const struct supervisor_plugin *plugin)
{
	return plugin->state;
}

size_t
supervisor_failures_get(
    const struct supervisor_plugin *plugin, struct supervisor_failure *ret, size_t max)
{
	size_t count = 0;

	for (unsigned n = plugin->failures; n > 0 && count < max; n--) {
		if (plugin->failures - n >= SUPERVISOR_FAILURES_KEPT)
			break;
		ret[count++] = plugin->kept[(n - 1) % SUPERVISOR_FAILURES_KEPT];
	}
	return count;
}

void *
supervisor_user(const struct supervisor_plugin *plugin)
{
	return plugin->user;
}

/* ---- a successor ------------------------------------------------------------------------ */

int
supervisor_begin(struct supervisor_plugin *plugin, struct cairn_error *err)
{
	if (plugin->state != SUPERVISOR_PREPARED)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE, "plugin %s is %s, not prepared",
		    plugin->name, supervisor_state_text(plugin->state));
	return plugin_begin(plugin, err);
}

bool
supervisor_handover(struct supervisor_plugin *plugin)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__HANDOVER;
	return plugin->hands_over && supervisor_send(plugin, &envelope) == 0;
}

void
supervisor_adopt(struct supervisor_plugin *plugin)
{
	plugin->standby = false;
}

void
supervisor_inherit(struct supervisor_plugin *plugin, const struct supervisor_plugin *before)
{
	plugin->starts += before->starts;
	plugin->restarts += before->restarts;
	plugin->failures += before->failures;
	memcpy(plugin->kept, before->kept, sizeof plugin->kept);
	memcpy(plugin->earlier_error,
	    before->last_error[0] != 0 ? before->last_error : before->earlier_error,
	    sizeof plugin->earlier_error);
}

void
supervisor_blame(struct supervisor_plugin *plugin, const char *reason)
{
	plugin_note_failure(plugin, "failed to start", reason);
}

static void
removed(uv_handle_t *handle)
{
	plugin_free(handle->data);
}

void
supervisor_remove(struct supervisor_plugin *plugin)
{
	struct supervisor_plugin **at = &plugin->supervisor->plugins;

	assert(plugin->process == NULL);
	while (*at != plugin)
		at = &(*at)->next;
	*at = plugin->next;
	while (plugin->waiters != NULL) {
		struct waiter *waiter = plugin->waiters;

		plugin->waiters = waiter->next;
		free(waiter);
	}
	uv_close((uv_handle_t *)&plugin->timer, removed);
}

bool
supervisor_welcome_is(const struct supervisor_plugin *plugin, const Cairn__Welcome *welcome)
{
	size_t size = cairn__welcome__get_packed_size(welcome);
	uint8_t *packed = size == plugin->welcome_length ? malloc(size + 1) : NULL;
	bool same;

	if (packed == NULL)
		return false;
	cairn__welcome__pack(welcome, packed);
	same = memcmp(packed, plugin->welcome, size) == 0;
	explicit_bzero(packed, size); /* it held secrets */
	free(packed);
	return same;
}

void
supervisor_set_options(struct supervisor *supervisor, const struct supervisor_options *options)
{
	struct supervisor_options *own = &supervisor->options;

	own->restart_limit = options->restart_limit;
	own->restart_window_s = options->restart_window_s;
	own->stop_timeout_ms = options->stop_timeout_ms;
	own->heartbeat_ms = options->heartbeat_ms;
	own->heartbeat_limit_ms = options->heartbeat_limit_ms;
	own->log_size_max = options->log_size_max;
	own->log_files = options->log_files;
	own->log_json = options->log_json;
}

/* ---- closing ---------------------------------------------------------------------------- */

static void
timer_closed(uv_handle_t *handle)
{
	struct supervisor_plugin *plugin = handle->data;
	struct supervisor *supervisor = plugin->supervisor;
	void (*closed)(void *) = supervisor->closed;
	void *arg = supervisor->closed_arg;

	plugin_free(plugin);
	if (--supervisor->timers > 0)
		return;
	supervisor_free(supervisor);
	if (closed != NULL)
		closed(arg);
}

static bool
all_stopped(const struct supervisor *supervisor)
{
	for (const struct supervisor_plugin *plugin = supervisor->plugins; plugin != NULL;
	     plugin = plugin->next) {
		if (plugin->state != SUPERVISOR_STOPPED || plugin->waiters != NULL)
			return false;
	}
	return supervisor->processes == 0;
}

/* May be reached from a callback of any part, so that freeing waits for the timers' close. */
void
supervisor_progress(struct supervisor *supervisor)
{
	if (!supervisor->closing || supervisor->timers > 0 || !all_stopped(supervisor))
		return;
	for (struct supervisor_plugin *plugin = supervisor->plugins; plugin != NULL;
	     plugin = plugin->next) {
		supervisor->timers++;
		uv_close((uv_handle_t *)&plugin->timer, timer_closed);
	}
}

void
supervisor_close(struct supervisor *supervisor, void (*closed)(void *arg), void *arg)
{
	supervisor->closing = true;
	supervisor->closed = closed;
	supervisor->closed_arg = arg;
	if (supervisor->plugins == NULL) {
		supervisor_free(supervisor);
		if (closed != NULL)
			closed(arg);
		return;
	}
	for (struct supervisor_plugin *plugin = supervisor->plugins; plugin != NULL;
	     plugin = plugin->next) {
		plugin->start_again = false;
		plugin_stop(plugin);
	}
}
