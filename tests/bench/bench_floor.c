/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of ingest: a receiver that does nothing but append what comes to one file, and answers
 * when it is written, or (sync) when one fdatasync for all that was waiting is done.  It speaks the
 * protocol of CAIRN_SHARED/bench/dicom/floor.c: eight bytes of length, the bytes, one byte back.
 *
 * usage: bench_floor PORT FILE [sync]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define OBJECT_MAX ((uint64_t)64 << 20)

static struct {
	int fd;
	bool sync;
	pthread_mutex_t lock; /* over the rest, and one append at a time */
	pthread_cond_t synced;
	uint64_t written, safe; /* groups: of objects written, and known to be on the disk */
	bool syncing;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .synced = PTHREAD_COND_INITIALIZER};

static void
die(const char *what)
{
	fprintf(stderr, "bench_floor: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* Whoever finds no sync running runs one, for all that is written by then. */
static void
wait_until_safe(uint64_t mine)
{
	while (sink.safe < mine) {
		uint64_t upto = sink.written;

		if (sink.syncing) {
			pthread_cond_wait(&sink.synced, &sink.lock);
			continue;
		}
		sink.syncing = true;
		pthread_mutex_unlock(&sink.lock);
		if (fdatasync(sink.fd) != 0)
			die("fdatasync");
		pthread_mutex_lock(&sink.lock);
		sink.syncing = false;
		sink.safe = upto;
		pthread_cond_broadcast(&sink.synced);
	}
}

static void
store(const uint8_t *bytes, size_t length)
{
	pthread_mutex_lock(&sink.lock);
	if (file_write_all(sink.fd, bytes, length) != 0)
		die("write");
	sink.written++;
	if (sink.sync)
		wait_until_safe(sink.written);
	pthread_mutex_unlock(&sink.lock);
}

static void *
serve(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;
	uint8_t *bytes = malloc(OBJECT_MAX);
	uint64_t length;

	if (bytes == NULL)
		die("malloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	while (file_read_all(fd, &length, sizeof length) == 0 && length <= OBJECT_MAX &&
	    file_read_all(fd, bytes, length) == 0) {
		store(bytes, length);
		if (write(fd, "k", 1) != 1)
			break;
	}
	free(bytes);
	close(fd);
	return NULL;
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
		die("listen");
	return fd;
}

int
main(int argc, char **argv)
{
	int64_t port;
	int listener;

	if (argc < 3 || text_to_integer(argv[1], 1, 65535, &port) != 0) {
		fprintf(stderr, "usage: bench_floor PORT FILE [sync]\n");
		return 2;
	}
	sink.sync = argc > 3 && strcmp(argv[3], "sync") == 0;
	sink.fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (sink.fd < 0)
		die(argv[2]);
	listener = listen_on((uint16_t)port);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pthread_t thread;

		if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
			die("accept");
		pthread_detach(thread);
	}
}
