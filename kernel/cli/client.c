/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "depth.h"

#define FRAME_MAX (16u << 20)
#define JSON_TIMEOUT_MS 10000u
/* The node itself answers at the deadline; this is for a node that hangs. */
#define GRACE_MS 2000u

static int
connect_to(const char *home, int *ret_fd, struct cairn_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char node_yaml[PATH_MAX];
	int fd, reason;

	if (file_join(address.sun_path, sizeof address.sun_path, home, "run/control.sock") != 0)
		return cairn_error_set(err, CAIRN_EINVAL, "the home's path is too long: %s", home);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cairn_error_set(err, CAIRN_EIO, "no socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
		*ret_fd = fd;
		return 0;
	}
	reason = errno;
	close(fd);
	if (reason == EACCES)
		return cairn_error_set(err, CAIRN_EDENIED,
		    "the node in %s belongs to another user; ask as that user", home);
	if (file_join(node_yaml, sizeof node_yaml, home, "node.yaml") != 0 ||
	    !file_exists(node_yaml))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "there is no node in %s; make one with: cairn "
		    "init %s",
		    home, home);
	return cairn_error_set(err, CAIRN_EUNAVAILABLE,
	    "no node is running in %s; start it with: cairn --home %s run", home, home);
}

/* Not file_write_all(): a node that hangs up must not end us by SIGPIPE before we have read why. */
static int
send_all(int fd, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EPIPE || errno == ECONNRESET ? 0 : CAIRN_EIO;
		bytes += sent;
		length -= (size_t)sent;
	}
	return 0;
}

static int
send_call(int fd, const struct client_call *call, struct cairn_error *err)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Context context = CAIRN__CONTEXT__INIT;
	Cairn__Principal principal = CAIRN__PRINCIPAL__INIT;
	size_t length;
	uint8_t *frame;
	int code;

	principal.name = (char *)(uintptr_t)(call->as == NULL ? "" : call->as);
	context.principal = &principal;
	context.purpose = (char *)(uintptr_t)(call->purpose == NULL ? "" : call->purpose);
	context.permit = (char *)(uintptr_t)(call->permit == NULL ? "" : call->permit);
	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.id = 1;
	envelope.subject = (char *)(uintptr_t)call->subject;
	envelope.timeout_ms = call->timeout_ms;
	envelope.context = &context;
	envelope.lend = (char **)(uintptr_t)call->lend;
	envelope.n_lend = call->lend_count;
	envelope.body.data = (uint8_t *)(uintptr_t)call->body;
	envelope.body.len = call->length;
	length = cairn__envelope__get_packed_size(&envelope);
	if (length > FRAME_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "the request is larger than 16 MiB");
	frame = malloc(length + 4);
	if (frame == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	for (unsigned i = 0; i < 4; i++)
		frame[i] = (uint8_t)(length >> (24 - 8 * i));
	cairn__envelope__pack(&envelope, frame + 4);
	code = send_all(fd, frame, length + 4);
	free(frame);
	return code == 0
	    ? 0
	    : cairn_error_set(err, CAIRN_EIO, "cannot send to the node: %s", strerror(errno));
}

/* Reads exactly `length` bytes before the monotonic `deadline`. */
static int
read_before(int fd, const int *interrupt, void *bytes, size_t length, uint64_t deadline,
    struct cairn_error *err)
{
	uint8_t *at = bytes;

	while (length > 0) {
		uint64_t now = clock_monotonic_ms();
		struct pollfd ready[2] = {{.fd = fd, .events = POLLIN},
		    {.fd = interrupt == NULL ? -1 : *interrupt, .events = POLLIN}};
		int polled = now >= deadline ? 0 : poll(ready, 2, (int)(deadline - now));
		ssize_t got;

		if (polled < 0 && errno == EINTR)
			continue;
		if (polled <= 0)
			return cairn_error_set(err, CAIRN_ETIMEOUT, "the node does not answer");
		if (ready[1].revents != 0)
			return cairn_error_set(err, CAIRN_ECANCELLED, "interrupted");
		got = read(fd, at, length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return cairn_error_set(
			    err, CAIRN_EUNAVAILABLE, "the node stopped before it answered");
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

static int
read_envelope(
    int fd, const int *interrupt, uint64_t deadline, Cairn__Envelope **ret, struct cairn_error *err)
{
	uint8_t head[4];
	uint8_t *body;
	size_t length;
	int code = read_before(fd, interrupt, head, sizeof head, deadline, err);

	if (code != 0)
		return code;
	length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (length > FRAME_MAX)
		return cairn_error_set(
		    err, CAIRN_EPROTO, "the node sent a frame of %zu bytes", length);
	body = malloc(length + 1);
	if (body == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = read_before(fd, interrupt, body, length, deadline, err);
	if (code == 0) {
		*ret = (Cairn__Envelope *)proto_unpack(
		    &cairn__envelope__descriptor, NULL, body, length);
		if (*ret == NULL)
			code = cairn_error_set(err, CAIRN_EPROTO, "the node sent no Envelope");
	}
	free(body);
	return code;
}

int
client_call(const char *home, const struct client_call *call, Cairn__Envelope **ret_reply,
    struct cairn_error *err)
{
	FD_AUTO fd = -1;
	uint64_t deadline = clock_monotonic_ms() + call->timeout_ms + GRACE_MS;
	int code = connect_to(home, &fd, err);

	if (code == 0)
		code = send_call(fd, call, err);
	while (code == 0) {
		Cairn__Envelope *envelope = NULL;

		code = read_envelope(fd, call->interrupt, deadline, &envelope, err);
		if (code != 0)
			break;
		if (envelope->kind == CAIRN__ENVELOPE__KIND__REPLY) {
			*ret_reply = envelope;
			return 0;
		}
		if (call->progress != NULL)
			call->progress(call->arg, envelope);
		cairn__envelope__free_unpacked(envelope, NULL);
	}
	return code;
}

int
client_json(const struct cli *cli, const char *subject, json_t *request, json_t **ret,
    struct cairn_error *err)
{
	char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	struct client_call call = {.subject = subject,
	    .body = text,
	    .length = text == NULL ? 0 : strlen(text),
	    .timeout_ms = cli->timeout_ms != 0 ? cli->timeout_ms : JSON_TIMEOUT_MS};
	Cairn__Envelope *reply = NULL;
	int code = client_call(cli->home, &call, &reply, err);

	free(text);
	json_decref(request);
	if (code != 0)
		return code;
	if (reply->code != 0) {
		code = cairn_error_set(err, reply->code, "%s", reply->text);
	} else {
		*ret = json_loadb((const char *)reply->body.data, reply->body.len, 0, NULL);
		if (*ret == NULL)
			code = cairn_error_set(err, CAIRN_EPROTO, "the node's answer is no JSON");
	}
	cairn__envelope__free_unpacked(reply, NULL);
	return code;
}

bool
client_running(const char *home)
{
	FD_AUTO fd = -1;

	return connect_to(home, &fd, NULL) == 0;
}
