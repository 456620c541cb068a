/* SPDX-License-Identifier: Apache-2.0 */
/* cairn-host: one plugin's process.  Started by the kernel only: it needs the socket to dial, the
 * plugin's shared object and its name, and on descriptor 4 what it may do (sandbox/sandbox.h). */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "host/crash.h"
#include "host/exec.h"
#include "runtime/runtime.h"
#include "sandbox/sandbox.h"

#define STATUS_MAX 65536 /* of /proc/self/status */

struct host {
	struct sandbox_policy policy;
	bool confined;
};

/* At once and without destructors, whatever threads the plugin has: its ports must be free. */
static void
finished(void *arg, int status)
{
	(void)arg;
	_exit(status);
}

/* Its own word, for our parent is another process when it died before we began. */
static pid_t
kernel_of_host(void)
{
	const char *text = getenv("CAIRN_KERNEL");
	int64_t pid;

	return text != NULL && text_to_integer(text, 1, INT32_MAX, &pid) == 0 ? (pid_t)pid
									      : getppid();
}

/* We die with the kernel.  It may have died before prctl(), hence the second look. */
static int
bind_to_kernel(pid_t kernel)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != kernel) {
		log_error("host", "the kernel is gone, leaving");
		return -1;
	}
	return 0;
}

/* ---- confinement ------------------------------------------------------------------------ */

/* From here on everything of this process is confined, but for system calls. */
static int
enter(struct host *host, struct cairn_error *err)
{
	struct stat st;
	int code;

	if (fstat(SANDBOX_FD, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		log_warning("host",
		    "the kernel did not ask for confinement: this plugin may do "
		    "whatever its user may");
		return 0;
	}
	code = sandbox_receive(SANDBOX_FD, &host->policy, err);
	if (code == 0)
		code = sandbox_enter(&host->policy, err);
	host->confined = code == 0;
	return code;
}

/* Just before the plugin's first instruction. */
static int
seal(void *arg, struct cairn_error *err)
{
	struct host *host = arg;

	return host->confined ? sandbox_seal(&host->policy, SANDBOX_FD, err) : 0;
}

/* ---- a debugger ------------------------------------------------------------------------- */

static bool
is_traced(void)
{
	BUF_AUTO text = {.max = STATUS_MAX};
	const char *line;

	if (file_read("/proc/self/status", &text, NULL) != 0 || buf_text(&text) == NULL)
		return false;
	line = strstr(buf_text(&text), "\nTracerPid:");
	return line != NULL && strtol(line + sizeof "\nTracerPid:" - 1, NULL, 10) != 0;
}

/* `cairn plugin run --debugger`: nothing of the plugin is loaded before somebody looks.  Never in a
 * node, which gives its hosts no such variable. */
static void
await_debugger(pid_t kernel)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	if (getenv("CAIRN_AWAIT_DEBUGGER") == NULL)
		return;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* it is no child of the debugger */
	while (!is_traced() && getppid() == kernel)
		nanosleep(&pause, NULL);
	unsetenv("CAIRN_AWAIT_DEBUGGER");
}

/* ---- running ---------------------------------------------------------------------------- */

/* Does not return when the interpreter runs. */
static int
become_interpreter(struct host *host, pid_t kernel, char **argv)
{
	const struct exec_options options = {.url = argv[1],
	    .script = argv[2],
	    .object_fd = RUNTIME_OBJECT_FD,
	    .name = argv[3],
	    .interpreter = argv[4],
	    .kernel = kernel};
	struct cairn_error err = {0};

	if (seal(host, &err) == 0)
		exec_run(&options, &err);
	log_error("host", "%s", err.text);
	return 1;
}

int
main(int argc, char **argv)
{
	pid_t kernel = kernel_of_host();
	struct cairn_error err = {0};
	struct cairn *cairn;
	struct host host = {0};
	struct runtime_options options = {
	    .kernel_pid = kernel, .finished = finished, .confine = seal, .arg = &host};

	if (argc != 4 && argc != 5) {
		fprintf(stderr,
		    "usage: cairn-host SOCKET-URL PLUGIN NAME [INTERPRETER] (started by cairnd)\n");
		return 2;
	}
	if (bind_to_kernel(kernel) != 0)
		return 1;
	await_debugger(kernel);
	if (enter(&host, &err) != 0) {
		log_error("host", "%s", err.text);
		return 1;
	}
	if (bind_to_kernel(kernel) != 0) /* the change of user had undone it for a moment */
		return 1;
	if (argc == 5)
		return become_interpreter(&host, kernel, argv);
	crash_watch(argv[3]);
	signal(SIGPIPE, SIG_IGN);
	options.url = argv[1];
	options.path = argv[2];
	options.name = argv[3];
	if (runtime_new(&cairn, uv_default_loop(), &options, &err) != 0) {
		log_error("host", "%s", err.text);
		return 1;
	}
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	_exit(1); /* not reached: the channel keeps the loop alive until finished() */
}
