/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "sandbox/filter.h"

#define PERIOD_MS 1000
#define BATCH_MAX 64

struct watch {
	uv_poll_t socket;   /* on which the host sends the listener, once */
	uv_poll_t listener; /* not a handle before that */
	uv_timer_t period;
	uv_loop_t *loop;
	int socket_fd, listener_fd; /* -1: not open */
	bool put_off, counting;
	unsigned refused, opens; /* within the period */
	unsigned handles;        /* not yet closed */
	struct sandbox_policy policy;
	struct watch_ops ops;
	void *arg;
};

/* ---- closing ---------------------------------------------------------------------------- */

static void
handle_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;

	if (--watch->handles > 0)
		return;
	sandbox_policy_fini(&watch->policy);
	free(watch);
}

static void
drop(uv_poll_t *poll, int *fd)
{
	if (*fd < 0)
		return;
	uv_poll_stop(poll);
	close(*fd);
	*fd = -1;
	uv_close((uv_handle_t *)poll, handle_closed);
}

void
watch_close(struct watch *watch)
{
	watch->ops = (struct watch_ops){0};
	drop(&watch->socket, &watch->socket_fd);
	drop(&watch->listener, &watch->listener_fd);
	uv_close((uv_handle_t *)&watch->period, handle_closed);
}

static void
ended(struct watch *watch)
{
	struct watch_ops ops = watch->ops;

	if (ops.closed != NULL)
		ops.closed(watch->arg, watch);
	watch_close(watch);
}

/* ---- what the caller wanted ------------------------------------------------------------- */

static bool
read_path(int pid, unsigned long long address, char ret[PATH_MAX])
{
	char name[64];
	FD_AUTO fd = -1;
	ssize_t got;

	snprintf(name, sizeof name, "/proc/%d/mem", pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || address > INT64_MAX)
		return false;
	got = pread(fd, ret, PATH_MAX, (off_t)address);
	if (got < PATH_MAX && got > 0)
		ret[got - 1] = 0; /* the end of a mapping */
	return got > 0 && memchr(ret, 0, (size_t)got) != NULL;
}

/* "/a/./b//../c" is "/a/c"; what begins without a slash is meant from the root, where hosts are. */
static void
normalise(const char *path, char ret[PATH_MAX])
{
	size_t length = 0;

	while (*path != 0) {
		size_t part = strcspn(path, "/");

		if (part == 2 && path[0] == '.' && path[1] == '.') {
			while (length > 0 && ret[--length] != '/') {
			}
		} else if (part > 0 && !(part == 1 && path[0] == '.') &&
		    length + part + 2 < PATH_MAX) {
			ret[length++] = '/';
			memcpy(ret + length, path, part);
			length += part;
		}
		path += part;
		path += *path == '/';
	}
	if (length == 0)
		ret[length++] = '/';
	ret[length] = 0;
}

/* What lies below a folder that the plugin has open is its own, unless it climbs out of it. */
static bool
is_below_own_folder(const struct filter_open *open, const char *path)
{
	return open->dir != AT_FDCWD && path[0] != '/' && strstr(path, "..") == NULL;
}

/* /proc/self/root leads to everything. */
static bool
leaves_proc(const char *path)
{
	return strstr(path, "root") != NULL || strstr(path, "cwd") != NULL;
}

/* Of what is only about to be made, where its folder is. */
static int
real_path(const char *path, char ret[PATH_MAX])
{
	char folder[PATH_MAX];
	const char *name = strrchr(path, '/');
	int wrote;

	if (realpath(path, ret) != NULL)
		return 0;
	if (errno != ENOENT || name == NULL || strlen(path) >= PATH_MAX)
		return -1;
	wrote = snprintf(folder, sizeof folder, "%.*s/.", (int)(name - path), path);
	if (wrote < 0 || wrote >= PATH_MAX || realpath(folder, ret) == NULL ||
	    strlen(ret) + strlen(name) >= PATH_MAX)
		return -1;
	memcpy(ret + strlen(ret), name, strlen(name) + 1);
	return 0;
}

/* Links are followed only where the words alone would be refused: /etc/localtime, a home behind a
 * link.  What does not exist is no access. */
static bool
may_open(const struct watch *watch, int pid, const struct filter_open *open, char shown[PATH_MAX])
{
	char path[PATH_MAX], real[PATH_MAX];
	const char *own = "/proc/self";
	char number[32];

	if (!read_path(pid, open->path, path) || is_below_own_folder(open, path))
		return true; /* a bad address fails by itself */
	normalise(path, shown);
	if (strncmp(shown, "/proc/self/", 11) == 0 && leaves_proc(shown + 11))
		return false;
	if (sandbox_policy_allows(&watch->policy, shown, open->writing))
		return true;
	snprintf(number, sizeof number, "/proc/%d", pid);
	if (strncmp(shown, number, strlen(number)) == 0 && shown[strlen(number)] == '/')
		return sandbox_policy_allows(&watch->policy, own, open->writing);
	if ((open->writing ? real_path(shown, real) : realpath(shown, real) == NULL) != 0)
		return !open->writing; /* of reading Landlock has the word */
	return sandbox_policy_allows(&watch->policy, real, open->writing);
}

/* ---- lending ---------------------------------------------------------------------------- */

/* The words of an open below a descriptor begin with where that is. */
static bool
whole_path(int pid, const struct filter_open *open, char ret[PATH_MAX])
{
	char path[PATH_MAX], link[64], joined[2 * PATH_MAX];
	ssize_t length;

	if (!read_path(pid, open->path, path))
		return false;
	if (path[0] == '/' || open->dir == AT_FDCWD)
		return realpath(path, ret) != NULL;
	snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, open->dir);
	length = readlink(link, ret, PATH_MAX - 1);
	if (length <= 0)
		return false;
	snprintf(joined, sizeof joined, "%.*s/%s", (int)length, ret, path);
	return strlen(joined) < PATH_MAX && realpath(joined, ret) != NULL;
}

/* No link is followed any more, for it could have been put there since; no fifo is waited for. */
static int
open_lent(const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	    .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
lend(struct watch *watch, const struct seccomp_notif *notif, const struct filter_open *open)
{
	char path[PATH_MAX];
	struct seccomp_notif_addfd answer = {
	    .id = notif->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = O_CLOEXEC};
	FD_AUTO fd = -1;

	if (open->writing || !whole_path((int)notif->pid, open, path) ||
	    !sandbox_policy_lends(&watch->policy, path))
		return false;
	fd = open_lent(path);
	answer.srcfd = (uint32_t)fd;
	return fd >= 0 && ioctl(watch->listener_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &answer) >= 0;
}

/* ---- answering -------------------------------------------------------------------------- */

static void
reply(struct watch *watch, uint64_t id, bool go_on)
{
	struct seccomp_notif_resp answer = {.id = id,
	    .error = go_on ? 0 : -EPERM,
	    .flags = go_on ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0};

	/* The caller may be dead by now: nothing to do about it. */
	(void)ioctl(watch->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void
tell(struct watch *watch, const char *text)
{
	watch->refused++;
	if (watch->ops.refused != NULL)
		watch->ops.refused(watch->arg, text);
}

static void
judge_open(struct watch *watch, const struct seccomp_notif *notif, const struct filter_open *open)
{
	char path[PATH_MAX], text[WATCH_TEXT_MAX];
	bool allowed;

	watch->opens++;
	if (lend(watch, notif, open))
		return;
	allowed = may_open(watch, (int)notif->pid, open, path);
	if (!allowed) {
		snprintf(text, sizeof text, "may not open %.180s%s", path,
		    open->writing ? " for writing" : "");
		tell(watch, text);
	}
	reply(watch, notif->id, allowed);
}

/* To make what is there fails by itself, and is how folders are made one by one. */
static bool
is_there(int pid, const struct filter_open *open)
{
	char path[PATH_MAX];
	struct stat st;

	return open->dir == AT_FDCWD && read_path(pid, open->path, path) && path[0] == '/' &&
	    lstat(path, &st) == 0;
}

/* Both ends of a renaming must be its own. */
static void
judge_change(struct watch *watch, const struct seccomp_notif *notif,
    const struct filter_open paths[], size_t count, const char *verb)
{
	char path[PATH_MAX], text[WATCH_TEXT_MAX];
	bool allowed = true;

	watch->opens++;
	for (size_t i = 0; allowed && i < count; i++)
		allowed = may_open(watch, (int)notif->pid, &paths[i], path) ||
		    (strcmp(verb, "make") == 0 && is_there((int)notif->pid, &paths[i]));
	if (!allowed) {
		snprintf(text, sizeof text, "may not %s %.180s", verb, path);
		tell(watch, text);
	}
	reply(watch, notif->id, allowed);
}

static void
judge(struct watch *watch, const struct seccomp_notif *notif)
{
	const char *name = filter_call_name(notif->data.nr), *verb = "";
	unsigned long long args[6];
	struct filter_open open, paths[FILTER_PATHS_MAX];
	char text[WATCH_TEXT_MAX];
	size_t count;

	for (size_t i = 0; i < 6; i++)
		args[i] = notif->data.args[i];
	if (filter_is_open(notif->data.nr, args, &open)) {
		judge_open(watch, notif, &open);
		return;
	}
	count = filter_changes(notif->data.nr, args, paths, &verb);
	if (count > 0) {
		judge_change(watch, notif, paths, count, verb);
		return;
	}
	if (name != NULL)
		snprintf(text, sizeof text, "may not make the system call %s", name);
	else
		snprintf(text, sizeof text, "may not make system call %d", notif->data.nr);
	tell(watch, text);
	reply(watch, notif->id, false);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static void on_call(uv_poll_t *poll, int status, int events);

static void
on_period(uv_timer_t *timer)
{
	struct watch *watch = timer->data;

	watch->refused = watch->opens = 0;
	watch->counting = false;
	if (watch->put_off && watch->listener_fd >= 0)
		uv_poll_start(&watch->listener, UV_READABLE, on_call);
	watch->put_off = false;
}

/* Receiving blocks where nothing waits, hence the look before.  `*ret_gone`: nobody is left. */
static bool
is_waiting(int fd, bool *ret_gone)
{
	struct pollfd look = {.fd = fd, .events = POLLIN};
	int ready = poll(&look, 1, 0);

	*ret_gone = ready == 1 && (look.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
	return ready == 1 && (look.revents & POLLIN) != 0;
}

static void
count(struct watch *watch)
{
	if (!watch->counting)
		uv_timer_start(&watch->period, on_period, PERIOD_MS, 0);
	watch->counting = true;
}

static void
on_call(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	bool gone = false;

	(void)status, (void)events;
	count(watch);
	for (int i = 0; i < BATCH_MAX && is_waiting(watch->listener_fd, &gone); i++) {
		struct seccomp_notif notif = {0};

		if (watch->refused >= WATCH_REFUSED_PER_S || watch->opens >= WATCH_OPENS_PER_S) {
			watch->put_off = true;
			uv_poll_stop(poll);
			return;
		}
		if (ioctl(watch->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) == 0)
			judge(watch, &notif);
	}
	if (gone)
		ended(watch);
}

static int
receive_listener(int socket_fd, int *ret_fd)
{
	char byte;
	struct iovec part = {&byte, 1};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof control.bytes};
	ssize_t got = recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return CAIRN_EAGAIN;
	if (header == NULL || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return CAIRN_EPROTO;
	memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return 0;
}

/* The listener comes once, when the host is sealed; the socket's end before that is a host that
 * died. */
static void
on_socket(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	int fd = -1;
	int code = receive_listener(watch->socket_fd, &fd);

	(void)status, (void)events;
	if (code == CAIRN_EAGAIN)
		return;
	if (code == 0 && uv_poll_init(watch->loop, &watch->listener, fd) != 0) {
		close(fd);
		code = CAIRN_EIO;
	}
	if (code != 0) {
		ended(watch);
		return;
	}
	watch->handles++;
	watch->listener_fd = fd;
	uv_poll_start(&watch->listener, UV_READABLE, on_call);
	drop(&watch->socket, &watch->socket_fd);
}

/* ---- making ----------------------------------------------------------------------------- */

static int
copy_policy(const struct sandbox_policy *policy, struct sandbox_policy *ret)
{
	char *text = NULL;
	int code = sandbox_policy_text(policy, &text, NULL);

	if (code == 0)
		code = sandbox_policy_parse(text, ret, NULL);
	free(text);
	return code;
}

/* A socket pair in which the policy waits for the host. */
static int
pair_new(const struct sandbox_policy *policy, int ret_pair[2])
{
	char *text = NULL;
	int code = sandbox_policy_text(policy, &text, NULL);
	size_t length;

	if (code != 0)
		return code;
	length = strlen(text) + 1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_pair) != 0)
		code = CAIRN_EIO;
	else if (send(ret_pair[0], text, length, MSG_DONTWAIT) != (ssize_t)length) {
		close(ret_pair[0]);
		close(ret_pair[1]);
		code = CAIRN_ELIMIT;
	}
	free(text);
	return code;
}

int
watch_new(struct watch **ret, uv_loop_t *loop, const struct sandbox_policy *policy,
    const struct watch_ops *ops, void *arg, int *ret_host_fd, struct cairn_error *err)
{
	struct watch *watch = calloc(1, sizeof *watch);
	int pair[2];

	if (watch == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (copy_policy(policy, &watch->policy) != 0 || pair_new(policy, pair) != 0) {
		sandbox_policy_fini(&watch->policy);
		free(watch);
		return cairn_error_set(err, CAIRN_EIO, "cannot make a socket for the sandbox");
	}
	watch->loop = loop;
	watch->ops = *ops;
	watch->arg = arg;
	watch->socket_fd = pair[0];
	watch->listener_fd = -1;
	watch->handles = 2;
	watch->socket.data = watch->listener.data = watch->period.data = watch;
	uv_timer_init(loop, &watch->period);
	uv_unref((uv_handle_t *)&watch->period);
	if (uv_poll_init(loop, &watch->socket, pair[0]) != 0) {
		watch->socket_fd = -1;
		watch->handles = 1;
		close(pair[0]);
		close(pair[1]);
		watch_close(watch);
		return cairn_error_set(err, CAIRN_EIO, "cannot watch a socket for the sandbox");
	}
	uv_poll_start(&watch->socket, UV_READABLE, on_socket);
	*ret_host_fd = pair[1];
	*ret = watch;
	return 0;
}

int
watch_lend(struct watch *watch, const char *path, struct cairn_error *err)
{
	return sandbox_policy_add(&watch->policy, path, SANDBOX_LEND, err);
}

void
watch_take_back(struct watch *watch, const char *path)
{
	sandbox_policy_drop(&watch->policy, path, SANDBOX_LEND);
}
