/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/nodelog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define LOOK_MS 1000
#define TOPIC "log"

struct nodelog {
	uv_timer_t timer;
	char *path;
	uint64_t size_max;
	unsigned files;
	int fd;
};

static int
open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void
shift(const struct nodelog *log)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned n = log->files - 1; n > 0; n--) {
		int a = n == 1 ? snprintf(from, sizeof from, "%s", log->path)
			       : snprintf(from, sizeof from, "%s.%u", log->path, n - 1);
		int b = snprintf(to, sizeof to, "%s.%u", log->path, n);

		if (a > 0 && b > 0 && a < PATH_MAX && b < PATH_MAX)
			(void)rename(from, to);
	}
	(void)unlink(log->path); /* where there was one file only, or a rename failed */
}

/* Other threads log meanwhile: the descriptor stays the same, and what it means is exchanged. */
static void
rotate(struct nodelog *log)
{
	int fd;

	shift(log);
	fd = open_file(log->path);
	if (fd < 0 || dup3(fd, log->fd, O_CLOEXEC) < 0) {
		log_warning(
		    TOPIC, "cannot begin %s anew: %s, ignoring", log->path, strerror(errno));
		log_set_copy(-1);
	}
	if (fd >= 0)
		close(fd);
}

static void
on_timer(uv_timer_t *timer)
{
	struct nodelog *log = timer->data;
	struct stat st;

	if (fstat(log->fd, &st) == 0 && (uint64_t)st.st_size > log->size_max)
		rotate(log);
}

int
nodelog_open(struct nodelog **ret, uv_loop_t *loop, const char *path, uint64_t size_max,
    unsigned files, struct cairn_error *err)
{
	struct nodelog *log = calloc(1, sizeof *log);

	if (log == NULL || (log->path = strdup(path)) == NULL) {
		free(log);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	log->fd = open_file(path);
	if (log->fd < 0) {
		free(log->path);
		free(log);
		return cairn_error_set(err, CAIRN_EIO, "cannot open %s: %s", path, strerror(errno));
	}
	log->size_max = size_max;
	log->files = files < 1 ? 1 : files;
	uv_timer_init(loop, &log->timer);
	log->timer.data = log;
	uv_timer_start(&log->timer, on_timer, LOOK_MS, LOOK_MS);
	log_set_copy(log->fd);
	*ret = log;
	return 0;
}

static void
timer_closed(uv_handle_t *handle)
{
	struct nodelog *log = handle->data;

	free(log->path);
	free(log);
}

void
nodelog_close(struct nodelog *log)
{
	if (log != NULL)
		uv_close((uv_handle_t *)&log->timer, timer_closed);
}
