/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/confined.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "sandbox/sandbox.h"

static void
on_refused(void *arg, const char *text)
{
	struct confined *confined = arg;

	snprintf(confined->refused, sizeof confined->refused, "%s", text);
}

static void
on_closed(void *arg, struct watch *watch)
{
	struct confined *confined = arg;

	(void)watch;
	confined->watch = NULL;
}

int
confined_begin(struct confined *confined, uv_loop_t *loop, const struct tested_check *check,
    struct command *command, struct cairn_error *err)
{
	static const struct watch_ops ops = {.refused = on_refused, .closed = on_closed};
	int code = watch_new(
	    &confined->watch, loop, check->policy, &ops, confined, &command->sandbox_fd, err);

	if (code != 0)
		return code;
	command->stdio[RUNTIME_OBJECT_FD].flags = UV_INHERIT_FD;
	command->stdio[RUNTIME_OBJECT_FD].data.fd = check->object_fd;
	command->stdio[SANDBOX_FD].flags = UV_INHERIT_FD;
	command->stdio[SANDBOX_FD].data.fd = command->sandbox_fd;
	return 0;
}

int
confined_may_dial(const struct tested_check *check, const char *socket, struct cairn_error *err)
{
	unsigned uid = check->policy == NULL ? 0 : check->policy->uid;

	return uid == 0 || chown(socket, uid, (gid_t)-1) == 0
	    ? 0
	    : cairn_error_set(
		  err, CAIRN_EIO, "cannot give %s to user %u: %s", socket, uid, strerror(errno));
}

void
confined_end(struct confined *confined)
{
	if (confined->watch != NULL)
		watch_close(confined->watch);
	confined->watch = NULL;
}
