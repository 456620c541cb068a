/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 5000

struct answer {
	int code;
	char text[CAIRN_ERROR_TEXT_MAX];
};

bool
listener_is_peer(int fd)
{
	int type = 0;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* ---- making ----------------------------------------------------------------------------- */

static int
parse(const char *address, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_size)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof v4);
		*ret_size = sizeof v4;
	} else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
		memcpy(ret, &v6, sizeof v6);
		*ret_size = sizeof v6;
	} else {
		return CAIRN_EINVAL;
	}
	return 0;
}

int
listener_make(const char *address, uint16_t port, int *ret_fd, struct cairn_error *err)
{
	struct sockaddr_storage where = {0};
	socklen_t size = 0;
	int on = 1, fd, code;

	if (parse(address, port, &where, &size) != 0)
		return cairn_error_set(err, CAIRN_EINVAL, "'%.64s' is no IP address", address);
	fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (const struct sockaddr *)&where, size) != 0 ||
	    listen(fd, LISTENER_BACKLOG) != 0) {
		code = cairn_error_set(err, errno == EADDRINUSE ? CAIRN_EEXIST : CAIRN_EIO,
		    "cannot listen on %s port %u: %s", address, port, strerror(errno));
		if (fd >= 0)
			close(fd);
		return code;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- asking ----------------------------------------------------------------------------- */

static int
receive(int peer, struct answer *ret, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {ret, sizeof *ret};
	struct msghdr message = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof control.bytes};
	struct cmsghdr *header;

	if (recvmsg(peer, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *ret)
		return CAIRN_EIO;
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	ret->text[sizeof ret->text - 1] = 0;
	return 0;
}

int
listener_ask(int peer, const char *address, uint16_t port, int *ret_fd, struct cairn_error *err)
{
	struct listener_request request = {.port = port};
	struct pollfd ready = {.fd = peer, .events = POLLIN};
	struct answer answer = {0};
	int fd = -1;

	if (strlen(address) >= sizeof request.address)
		return cairn_error_set(err, CAIRN_EINVAL, "'%.64s' is no IP address", address);
	memcpy(request.address, address, strlen(address) + 1);
	if (write(peer, &request, sizeof request) != (ssize_t)sizeof request ||
	    poll(&ready, 1, WAIT_MS) != 1 || receive(peer, &answer, &fd) != 0)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE,
		    "the kernel did not give a socket for %s port %u", address, port);
	if (answer.code == 0 && fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	return cairn_error_set(err, answer.code == 0 ? CAIRN_EIO : answer.code, "%s", answer.text);
}

/* ---- answering -------------------------------------------------------------------------- */

int
listener_take(int peer, struct listener_request *ret)
{
	struct listener_request request;
	ssize_t got = recv(peer, &request, sizeof request, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return CAIRN_EAGAIN;
	if (got != (ssize_t)sizeof request)
		return CAIRN_EUNAVAILABLE;
	request.address[sizeof request.address - 1] = 0;
	*ret = request;
	return 0;
}

int
listener_answer(int peer, int code, const char *text, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
			 .cmsg_level = SOL_SOCKET,
			 .cmsg_type = SCM_RIGHTS}};
	struct answer answer = {.code = code};
	struct iovec iov = {&answer, sizeof answer};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	snprintf(answer.text, sizeof answer.text, "%s", text);
	if (code == 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof control.bytes;
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	}
	return sendmsg(peer, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? CAIRN_EIO : 0;
}
