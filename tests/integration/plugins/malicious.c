/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that attacks when asked to: each subject is one attack, whose body says on what.  The
 * answer is what came of it: "done" or the system's error, so that the test sees what failed and
 * how.  It speaks to the system directly, as malicious code would.  One attack is not on call: a
 * constructor that reads /etc/shadow before the plugin has even been asked for its descriptor.
 */
#include <cairn/plugin.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "forge.h"

#define CHUNK_BYTES (1u << 20)
#define FILE_CHUNKS_MAX 4096
#define FORKS_MAX 1000

struct malicious {
	struct cairn *cairn;
	int constructor_error; /* of reading /etc/shadow; 0: it could be read */
};

static int before_anything = -1;

static int
read_file(const char *path)
{
	char bytes[16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
	int error = got < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

__attribute__((constructor)) static void
at_load(void)
{
	before_anything = read_file("/etc/shadow");
}

/* ---- files ------------------------------------------------------------------------------ */

static int
write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int
change_mode(const char *path)
{
	return chmod(path, 0777) == 0 ? 0 : errno;
}

static int
remove_file(const char *path)
{
	return unlink(path) == 0 ? 0 : errno;
}

static int
make_folder(const char *path)
{
	return mkdir(path, 0700) == 0 ? 0 : errno;
}

static int
shorten_file(const char *path)
{
	return truncate(path, 0) == 0 ? 0 : errno;
}

static int
move_file(const char *path)
{
	char to[600];

	snprintf(to, sizeof to, "%s.moved", path);
	return rename(path, to) == 0 ? 0 : errno;
}

/* Until nothing more goes; a file of its own for each call. */
static int
fill_disk(const char *path)
{
	static char chunk[CHUNK_BYTES];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int error = 0;

	if (fd < 0)
		return errno;
	for (int i = 0; i < FILE_CHUNKS_MAX && error == 0; i++) {
		if (write(fd, chunk, sizeof chunk) < 0)
			error = errno;
	}
	close(fd);
	return error;
}

/* ---- processes -------------------------------------------------------------------------- */

static int
trace(const char *pid)
{
	return ptrace(PTRACE_ATTACH, (pid_t)strtol(pid, NULL, 10), NULL, NULL) == 0 ? 0 : errno;
}

static int
read_memory(const char *pid)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {(void *)0x400000, 1};

	return process_vm_readv((pid_t)strtol(pid, NULL, 10), &local, 1, &remote, 1, 0) >= 0
	    ? 0
	    : errno;
}

static int
kill_process(const char *pid)
{
	return kill((pid_t)strtol(pid, NULL, 10), SIGKILL) == 0 ? 0 : errno;
}

static int
fork_bomb(const char *unused)
{
	int made = 0, error = 0;

	(void)unused;
	while (made < FORKS_MAX && error == 0) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0)
			error = errno;
		else
			made++;
	}
	return made > 0 ? 0 : error;
}

static int
run_program(const char *path)
{
	char *const args[] = {(char *)(size_t)path, NULL};

	execv(path, args);
	return errno;
}

static int
become_root(const char *unused)
{
	(void)unused;
	return setuid(0) == 0 ? 0 : errno;
}

static int
outlive_kernel(const char *unused)
{
	(void)unused;
	return setsid() >= 0 ? 0 : errno;
}

/* ---- network ---------------------------------------------------------------------------- */

static int
connect_tcp(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return errno;
	error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
	close(fd);
	return error;
}

/* The control socket makes an operator of whoever reaches it. */
static int
connect_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return errno;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
	close(fd);
	return error;
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*attack)(const char *what);
} attacks[] = {
    {"read", read_file},
    {"write", write_file},
    {"chmod", change_mode},
    {"remove", remove_file},
    {"mkdir", make_folder},
    {"shorten", shorten_file},
    {"move", move_file},
    {"fill", fill_disk},
    {"ptrace", trace},
    {"vm", read_memory},
    {"kill", kill_process},
    {"fork", fork_bomb},
    {"exec", run_program},
    {"setuid", become_root},
    {"setsid", outlive_kernel},
    {"tcp", connect_tcp},
    {"unix", connect_unix},
};

static int
answer(struct cairn_request *req, int error)
{
	const char *text = error == 0 ? "done" : strerrorname_np(error);

	return cairn_reply(req, text, strlen(text));
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct malicious *malicious = calloc(1, sizeof *malicious);

	if (malicious == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	malicious->cairn = cairn;
	malicious->constructor_error = before_anything;
	*ret_self = malicious;
	return 0;
}

static void
called(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)body, (void)length;
	if (code != 0)
		cairn_fail(arg, code, "%s", text);
	else
		cairn_reply(arg, "done", 4);
}

/* As many events, calls and refused system calls as one burst can hold. */
static int
flood(struct malicious *malicious, struct cairn_request *req)
{
	for (int i = 0; i < 2000; i++) {
		cairn_publish(malicious->cairn, "not.granted", "x", 1);
		read_file("/etc/shadow");
	}
	return cairn_reply(req, "done", 4);
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct malicious *malicious = self;
	const char *name = strchr(cairn_request_subject(req), '.') + 1;
	size_t length = 0;
	const char *body = cairn_request_body(req, &length);
	char what[512] = "";

	(void)err;
	if (length < sizeof what && length > 0)
		memcpy(what, body, length);
	if (strcmp(name, "loaded") == 0)
		return answer(req, malicious->constructor_error);
	if (strcmp(name, "forge") == 0)
		return answer(req, forge("malicious", body, length));
	if (strcmp(name, "call") == 0)
		return cairn_call(malicious->cairn, what, "", 0, 5000, called, req);
	if (strcmp(name, "flood") == 0)
		return flood(malicious, req);
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
		if (strcmp(attacks[i].name, name) == 0)
			return answer(req, attacks[i].attack(what));
	}
	return cairn_fail(req, CAIRN_ENOTFOUND, "no such attack");
}

static void
stop(void *self)
{
	struct malicious *malicious = self;
	struct cairn *cairn = malicious->cairn;

	free(malicious);
	cairn_stopped(cairn);
}

#define SUBJECT(name) "  - {subject: malicious." name ", guarded: false}\n"

CAIRN_PLUGIN("malicious", "0.1.0",
    "summary: Attacks when asked to\n"
    "serves:\n" SUBJECT("read") SUBJECT("write") SUBJECT("chmod") SUBJECT("fill") SUBJECT("ptrace")
	SUBJECT("vm") SUBJECT("kill") SUBJECT("fork") SUBJECT("exec") SUBJECT("setuid")
	    SUBJECT("setsid") SUBJECT("tcp") SUBJECT("unix") SUBJECT("loaded") SUBJECT("call")
		SUBJECT("flood") SUBJECT("forge") SUBJECT("remove") SUBJECT("mkdir")
		    SUBJECT("shorten") SUBJECT("move"),
    .start = start, .call = call, .stop = stop)
