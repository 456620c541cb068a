/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#define TEXT_MAX 1024
#define TOPIC "notify"

struct notify {
	uv_timer_t timer;
	struct sockaddr_un address;
	socklen_t address_length;
	int fd;
};

static int
parse_address(const char *path, struct notify *notify)
{
	size_t length = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || length < 2 ||
	    length >= sizeof notify->address.sun_path)
		return -1;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, path, length);
	notify->address_length =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
	if (path[0] == '@')
		notify->address.sun_path[0] = 0;
	return 0;
}

void
notify_say(struct notify *notify, const char *text)
{
	if (notify == NULL)
		return;
	if (sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&notify->address, notify->address_length) < 0)
		log_debug(TOPIC, "the service manager was not told: %s", strerror(errno));
}

void
notify_status(struct notify *notify, const char *text)
{
	char message[TEXT_MAX];

	snprintf(message, sizeof message, "STATUS=%s", text);
	for (char *at = message; *at != 0; at++) {
		if (*at == '\n')
			*at = ' '; /* a line of its own would be another assignment */
	}
	notify_say(notify, message);
}

void
notify_reloading(struct notify *notify)
{
	char message[TEXT_MAX];

	snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)(clock_monotonic_ns() / 1000));
	notify_say(notify, message);
}

static void
on_timer(uv_timer_t *timer)
{
	notify_say(timer->data, "WATCHDOG=1");
}

/* 0: nobody waits for a sign of life of this process. */
static uint64_t
watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	int64_t value, owner;

	if (usec == NULL || text_to_integer(usec, 1, INT64_MAX, &value) != 0)
		return 0;
	if (pid != NULL &&
	    (text_to_integer(pid, 1, INT32_MAX, &owner) != 0 || owner != (int64_t)getpid()))
		return 0;
	return value < 2000 ? 1 : (uint64_t)value / 2000;
}

static void
timer_closed(uv_handle_t *handle)
{
	struct notify *notify = handle->data;

	close(notify->fd);
	free(notify);
}

void
notify_close(struct notify *notify)
{
	if (notify != NULL)
		uv_close((uv_handle_t *)&notify->timer, timer_closed);
}

struct notify *
notify_open(uv_loop_t *loop)
{
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t period = watchdog_ms();
	struct notify *notify = path == NULL || path[0] == 0 ? NULL : calloc(1, sizeof *notify);

	if (notify == NULL)
		return NULL;
	notify->fd = -1;
	if (parse_address(path, notify) != 0) {
		log_warning(TOPIC, "NOTIFY_SOCKET is no path of a socket, ignoring");
		free(notify);
		return NULL;
	}
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0) {
		log_warning(TOPIC, "cannot tell the service manager anything: %s, ignoring",
		    strerror(errno));
		free(notify);
		return NULL;
	}
	uv_timer_init(loop, &notify->timer);
	notify->timer.data = notify;
	if (period > 0)
		uv_timer_start(&notify->timer, on_timer, 0, period);
	return notify;
}
