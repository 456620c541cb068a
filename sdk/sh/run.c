/* SPDX-License-Identifier: Apache-2.0 */
#include "sh/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cairn/error.h>

#define READ_BYTES 65536

struct run {
	uv_process_t process;
	uv_pipe_t input, output, commands;
	uv_timer_t timer;
	uv_write_t write;
	uint8_t *body;
	struct buf output_bytes, command_bytes;
	char *chunk; /* what one read fills */
	struct run_result result;
	run_done_fn done;
	void *arg;
	pid_t pid;
	unsigned waiting; /* for the exit and the ends of two outputs */
	unsigned open;    /* handles not yet closed */
};

static void
closed(uv_handle_t *handle)
{
	struct run *run = handle->data;

	if (--run->open > 0)
		return;
	buf_fini(&run->output_bytes);
	buf_fini(&run->command_bytes);
	free(run->body);
	free(run->chunk);
	free(run);
}

static void
close_handle(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, closed);
}

static void
close_all(struct run *run)
{
	close_handle(&run->input);
	close_handle(&run->output);
	close_handle(&run->commands);
	close_handle(&run->timer);
	close_handle(&run->process);
}

static void
kill_group(struct run *run)
{
	if (run->pid > 0 && kill(-run->pid, SIGKILL) != 0)
		kill(run->pid, SIGKILL); /* it has not made its group yet */
}

/* When the process is gone and its outputs have ended, nothing more can come. */
static void
part_ended(struct run *run)
{
	if (--run->waiting > 0)
		return;
	run->result.output = &run->output_bytes;
	run->result.commands = &run->command_bytes;
	run->done(run->arg, &run->result);
	close_all(run);
}

static void
exited(uv_process_t *process, int64_t status, int term_signal)
{
	struct run *run = process->data;

	run->result.status = term_signal == 0 ? (int)status : -1;
	run->result.signal = term_signal;
	uv_timer_stop(&run->timer);
	kill_group(run); /* what it left in the background holds our pipes open */
	run->pid = 0;
	part_ended(run);
}

static void
timed_out(uv_timer_t *timer)
{
	struct run *run = timer->data;

	run->result.timed_out = true;
	kill_group(run);
}

static void
chunk_give(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
	struct run *run = handle->data;

	(void)size;
	*ret = uv_buf_init(run->chunk, READ_BYTES);
}

static void
chunk_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *chunk)
{
	struct run *run = stream->data;
	struct buf *into =
	    stream == (uv_stream_t *)&run->output ? &run->output_bytes : &run->command_bytes;

	if (count >= 0 && buf_append(into, chunk->base, (size_t)count) == 0)
		return;
	if (count >= 0) {
		run->result.too_much = true;
		kill_group(run);
	}
	uv_read_stop(stream);
	part_ended(run);
}

/* A script that does not read its input is no failure. */
static void
written(uv_write_t *write, int status)
{
	struct run *run = write->data;

	(void)status;
	close_handle(&run->input);
}

static int
spawn(struct run *run, const struct run_options *options)
{
	char *args[] = {(char *)(uintptr_t)options->program, (char *)(uintptr_t) "--become",
	    (char *)(uintptr_t)options->script, NULL};
	uv_stdio_container_t stdio[4] = {
	    {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&run->input},
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		.data.stream = (uv_stream_t *)&run->output},
	    {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		.data.stream = (uv_stream_t *)&run->commands}};
	const uv_process_options_t spawned = {.exit_cb = exited,
	    .file = options->program,
	    .args = args,
	    .env = options->environment,
	    .stdio = stdio,
	    .stdio_count = 4};

	return uv_spawn(run->process.loop, &run->process, &spawned);
}

static void
init_handles(struct run *run, uv_loop_t *loop)
{
	uv_pipe_init(loop, &run->input, 0);
	uv_pipe_init(loop, &run->output, 0);
	uv_pipe_init(loop, &run->commands, 0);
	uv_timer_init(loop, &run->timer);
	run->process.loop = loop;
	run->input.data = run->output.data = run->commands.data = run;
	run->timer.data = run->process.data = run->write.data = run;
	run->open = 5;
}

static void
begin(struct run *run, const struct run_options *options)
{
	uv_buf_t body = uv_buf_init((char *)run->body, (unsigned)options->length);

	run->pid = uv_process_get_pid(&run->process);
	run->waiting = 3;
	uv_timer_start(&run->timer, timed_out, options->timeout_ms, 0);
	uv_read_start((uv_stream_t *)&run->output, chunk_give, chunk_read);
	uv_read_start((uv_stream_t *)&run->commands, chunk_give, chunk_read);
	if (uv_write(&run->write, (uv_stream_t *)&run->input, &body, 1, written) != 0)
		close_handle(&run->input);
}

int
run_new(struct run **ret, uv_loop_t *loop, const struct run_options *options)
{
	struct run *run = calloc(1, sizeof *run);

	if (run == NULL)
		return CAIRN_ENOMEM;
	buf_init(&run->output_bytes, RUN_OUTPUT_MAX);
	buf_init(&run->command_bytes, RUN_COMMANDS_MAX);
	run->done = options->done;
	run->arg = options->arg;
	run->body = malloc(options->length + 1);
	run->chunk = malloc(READ_BYTES);
	if (run->body == NULL || run->chunk == NULL) {
		free(run->body);
		free(run->chunk);
		free(run);
		return CAIRN_ENOMEM;
	}
	if (options->length > 0)
		memcpy(run->body, options->body, options->length);
	init_handles(run, loop);
	if (spawn(run, options) != 0) {
		close_all(run);
		return CAIRN_EIO;
	}
	begin(run, options);
	*ret = run;
	return 0;
}

void
run_cancel(struct run *run)
{
	run->result.cancelled = true;
	kill_group(run);
}

int
run_become(const char *script)
{
	char *args[] = {(char *)(uintptr_t)script, NULL};

	if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() == 1)
		return -1;
	signal(SIGPIPE, SIG_DFL);
	return execv(script, args);
}
