/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/hostlog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* Reading stops while a write is under way (on a worker thread: a slow disk must not hold the
 * loop), so that one buffer is enough. */

#define CHUNK 16384
#define PIECE_MAX ((size_t)32768)  /* written at once; less than the least file */
#define OUT_MAX ((size_t)32 << 20) /* lines of all that may come at once */
#define TOPIC "supervisor"
#define LAST_WORDS_MAX ((size_t)1 << 20) /* taken from the pipe of a host that has ended */

struct hostlog {
	uv_loop_t *loop;
	uv_pipe_t pipe;
	uv_fs_t write;
	char *path, *name, *version;
	int fd; /* -1: could not be opened after a rotation */
	uint64_t size;
	uint64_t size_max;
	unsigned files;
	struct hostline lines; /* what is not being written yet */
	struct buf out;        /* what is */
	size_t written, piece; /* of `out`; the end of what is being written now */
	bool writing;
	bool ended; /* nobody has the other end any more */
	bool dropping;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
	char chunk[CHUNK];
};

/* ---- files ------------------------------------------------------------------------------ */

static int
open_file(struct hostlog *log)
{
	struct stat st;

	log->size = 0;
	log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (log->fd >= 0 && fstat(log->fd, &st) == 0)
		log->size = (uint64_t)st.st_size;
	return log->fd < 0 ? CAIRN_EIO : 0;
}

static void
dropped(struct hostlog *log, const char *why)
{
	if (!log->dropping)
		log_warning(TOPIC, "cannot write %s: %s; dropping what the plugin says, ignoring",
		    log->path, why);
	log->dropping = true;
}

/* With one file there is none to keep the old text in. */
static void
rotate(struct hostlog *log)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned n = log->files - 1; n > 0; n--) {
		int a = n == 1 ? snprintf(from, sizeof from, "%s", log->path)
			       : snprintf(from, sizeof from, "%s.%u", log->path, n - 1);
		int b = snprintf(to, sizeof to, "%s.%u", log->path, n);

		if (a < 0 || b < 0 || a >= PATH_MAX || b >= PATH_MAX)
			break;
		if (rename(from, to) != 0 && errno != ENOENT)
			log_warning(TOPIC, "cannot rename %s: %s, ignoring", from, strerror(errno));
	}
	if (log->fd >= 0)
		close(log->fd);
	/* Also when a rename failed: the maximum holds whatever happens. */
	if (unlink(log->path) != 0 && errno != ENOENT)
		log_warning(TOPIC, "cannot remove %s: %s, ignoring", log->path, strerror(errno));
	if (open_file(log) != 0)
		dropped(log, strerror(errno));
}

static void
make_room(struct hostlog *log, size_t length)
{
	if (log->fd < 0)
		(void)open_file(log); /* the disk may be well again */
	else if (log->size > 0 && log->size + length > log->size_max)
		rotate(log);
}

/* ---- from the pipe to the file ---------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);
static void finish(struct hostlog *log);
static void on_written(uv_fs_t *request);

/* Takes the lines that wait, once those before them are written; false when there are none. */
static bool
next_lines(struct hostlog *log)
{
	struct buf empty = log->out;

	if (log->written < log->out.length)
		return true;
	buf_clear(&empty);
	log->out = log->lines.out;
	log->lines.out = empty;
	log->written = log->piece = 0;
	return log->out.length > 0;
}

/* So much that it fits the smallest file, and whole lines. */
static void
next_piece(struct hostlog *log)
{
	const uint8_t *from = log->out.data + log->written;
	size_t length = log->out.length - log->written;
	const uint8_t *end = length > PIECE_MAX ? memrchr(from, '\n', PIECE_MAX) : NULL;

	if (length > PIECE_MAX)
		length = end == NULL ? PIECE_MAX : (size_t)(end - from) + 1;
	log->piece = log->written + length;
	make_room(log, length);
}

/* Begins to write what there is; false when there is nothing, or it is dropped. */
static bool
write_on(struct hostlog *log)
{
	uv_buf_t buf;

	if (!next_lines(log))
		return false;
	if (log->written >= log->piece)
		next_piece(log);
	buf = uv_buf_init(
	    (char *)log->out.data + log->written, (unsigned)(log->piece - log->written));
	log->writing = log->fd >= 0 &&
	    uv_fs_write(log->loop, &log->write, log->fd, &buf, 1, -1, on_written) == 0;
	if (!log->writing)
		log->written = log->out.length;
	return log->writing;
}

static void
go_on(struct hostlog *log)
{
	if (log->closing)
		finish(log);
	else if (!log->ended)
		uv_read_start((uv_stream_t *)&log->pipe, on_alloc, on_read);
}

static void
on_written(uv_fs_t *request)
{
	struct hostlog *log = request->data;
	ssize_t wrote = request->result;

	uv_fs_req_cleanup(request);
	log->writing = false;
	if (wrote <= 0) {
		dropped(log, wrote == 0 ? "nothing is taken" : uv_strerror((int)wrote));
		log->written = log->piece;
	} else {
		log->dropping = false;
		log->size += (uint64_t)wrote;
		log->written += (size_t)wrote;
	}
	if (log->closing || !write_on(log))
		go_on(log);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct hostlog *log = handle->data;

	(void)suggested;
	*buf = uv_buf_init(log->chunk, CHUNK);
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct hostlog *log = stream->data;

	(void)buf;
	if (got == 0)
		return;
	uv_read_stop(stream);
	if (got < 0) {
		log->ended = true;
		return;
	}
	hostline_take(&log->lines, log->chunk, (size_t)got);
	if (!write_on(log))
		go_on(log);
}

/* ---- closing ---------------------------------------------------------------------------- */

static void
hostlog_free(struct hostlog *log)
{
	if (log == NULL)
		return;
	buf_fini(&log->out);
	buf_fini(&log->lines.out);
	free(log->path);
	free(log->name);
	free(log->version);
	free(log);
}

static void
pipe_closed(uv_handle_t *handle)
{
	struct hostlog *log = handle->data;
	void (*closed)(void *arg) = log->closed;
	void *arg = log->closed_arg;

	if (log->fd >= 0)
		close(log->fd);
	hostlog_free(log);
	if (closed != NULL)
		closed(arg);
}

/* A host's last words say why it died; a pipe holds little, so that they are taken at once. */
static void
take_last_words(struct hostlog *log)
{
	char bytes[CHUNK];
	uv_os_fd_t fd;

	if (log->ended || uv_fileno((uv_handle_t *)&log->pipe, &fd) != 0)
		return;
	for (size_t taken = 0; taken < LAST_WORDS_MAX;) {
		ssize_t got = read(fd, bytes, sizeof bytes);

		if (got <= 0)
			return;
		taken += (size_t)got;
		hostline_take(&log->lines, bytes, (size_t)got);
	}
}

static void
write_last_words(struct hostlog *log)
{
	while (next_lines(log)) {
		ssize_t wrote;

		if (log->written >= log->piece)
			next_piece(log);
		wrote = log->fd < 0
		    ? -1
		    : write(log->fd, log->out.data + log->written, log->piece - log->written);
		if (wrote <= 0) {
			dropped(log, strerror(errno));
			log->written = log->piece;
		} else {
			log->size += (uint64_t)wrote;
			log->written += (size_t)wrote;
		}
	}
}

void
hostlog_crash(struct hostlog *log, char ret[HOSTLINE_CRASH_MAX])
{
	take_last_words(log);
	memcpy(ret, log->lines.crash, HOSTLINE_CRASH_MAX);
}

void
hostlog_note(struct hostlog *log, const char *text)
{
	take_last_words(log);
	hostline_end(&log->lines);
	hostline_take(&log->lines, "<3>", 3);
	hostline_take(&log->lines, text, strlen(text));
	hostline_end(&log->lines);
}

void
hostlog_set_pid(struct hostlog *log, int pid)
{
	log->lines.pid = pid;
}

static void
finish(struct hostlog *log)
{
	take_last_words(log);
	hostline_end(&log->lines);
	write_last_words(log);
	uv_close((uv_handle_t *)&log->pipe, pipe_closed);
}

void
hostlog_close(struct hostlog *log, void (*closed)(void *arg), void *arg)
{
	log->closing = true;
	log->closed = closed;
	log->closed_arg = arg;
	uv_read_stop((uv_stream_t *)&log->pipe);
	if (!log->writing)
		finish(log);
}

/* ---- opening ---------------------------------------------------------------------------- */

static struct hostlog *
hostlog_new(uv_loop_t *loop, const struct hostlog_options *options)
{
	struct hostlog *log = calloc(1, sizeof *log);

	if (log == NULL)
		return NULL;
	log->path = strdup(options->path);
	log->name = strdup(options->name);
	log->version = strdup(options->version == NULL ? "" : options->version);
	if (log->path == NULL || log->name == NULL || log->version == NULL) {
		hostlog_free(log);
		return NULL;
	}
	log->out.max = log->lines.out.max = OUT_MAX;
	log->lines.plugin = log->name;
	log->lines.version = log->version[0] == 0 ? NULL : log->version;
	log->lines.format = options->format;
	log->loop = loop;
	log->pipe.data = log;
	log->write.data = log;
	log->size_max = options->size_max < HOSTLOG_SIZE_MIN ? HOSTLOG_SIZE_MIN : options->size_max;
	log->files = options->files < 1 ? 1 : options->files;
	if (log->files > HOSTLOG_FILES_MAX)
		log->files = HOSTLOG_FILES_MAX;
	return log;
}

static int
begin(struct hostlog *log, int read_fd)
{
	int rv = uv_pipe_init(log->loop, &log->pipe, 0);

	if (rv == 0)
		rv = uv_pipe_open(&log->pipe, read_fd);
	if (rv == 0)
		rv = uv_read_start((uv_stream_t *)&log->pipe, on_alloc, on_read);
	return rv;
}

int
hostlog_open(struct hostlog **ret, uv_loop_t *loop, const struct hostlog_options *options,
    int *ret_fd, struct cairn_error *err)
{
	struct hostlog *log = hostlog_new(loop, options);
	int fds[2];

	if (log == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (open_file(log) != 0 || pipe2(fds, O_CLOEXEC) != 0) {
		cairn_error_set(
		    err, CAIRN_EIO, "cannot open %s: %s", options->path, strerror(errno));
		if (log->fd >= 0)
			close(log->fd);
		hostlog_free(log);
		return CAIRN_EIO;
	}
	if (begin(log, fds[0]) != 0) {
		close(fds[0]);
		close(fds[1]);
		log->ended = true;
		hostlog_close(log, NULL, NULL);
		return cairn_error_set(err, CAIRN_EIO, "cannot watch a pipe for %s", options->path);
	}
	*ret_fd = fds[1];
	*ret = log;
	return 0;
}
