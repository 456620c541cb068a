/* SPDX-License-Identifier: Apache-2.0 */
#include "host/crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define FRAMES_MAX 48
#define LINE_MAX_BYTES 512
#define STACK_BYTES 65536
#define OBJECT_PATH "/proc/self/fd/3" /* the plugin, runtime/runtime.h */

/* Only what is async-signal-safe, or was made so before (backtrace(3), dladdr(3): the objects are
 * loaded, and nothing is allocated). */

static const char *plugin_name;
static uint8_t stack[STACK_BYTES]; /* a stack that overflowed is no place to stand on */

struct line {
	char text[LINE_MAX_BYTES];
	size_t length;
};

static void
put(struct line *line, const char *text)
{
	for (; *text != 0 && line->length < sizeof line->text - 1; text++)
		line->text[line->length++] = *text;
}

static void
put_number(struct line *line, uintptr_t value, unsigned base)
{
	char digits[24];
	size_t at = sizeof digits;

	digits[--at] = 0;
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0 && at > 0);
	put(line, base == 16 ? "0x" : "");
	put(line, digits + at);
}

static void
say(struct line *line)
{
	put(line, "\n");
	line->text[line->length == 0 ? 0 : line->length - 1] = '\n';
	if (write(STDERR_FILENO, line->text, line->length) < 0)
		return;
}

static const char *
signal_name(int number)
{
	switch (number) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGABRT:
		return "SIGABRT";
	case SIGFPE:
		return "SIGFPE";
	default:
		return "SIGILL";
	}
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool
is_library(const char *object)
{
	const char *name = base_name(object);

	return strncmp(name, "libc.", 5) == 0 || strncmp(name, "libpthread", 10) == 0 ||
	    strncmp(name, "ld-linux", 8) == 0 || strcmp(name, "cairn-host") == 0;
}

/* "hello.so+0x1139 (greet+0x9)": what addr2line wants, and the function where it has a name. */
static void
put_frame(struct line *line, const void *frame)
{
	Dl_info info = {0};

	if (dladdr(frame, &info) == 0 || info.dli_fname == NULL) {
		put_number(line, (uintptr_t)frame, 16);
		return;
	}
	if (strcmp(info.dli_fname, OBJECT_PATH) == 0) {
		put(line, plugin_name);
		put(line, ".so");
	} else {
		put(line, base_name(info.dli_fname));
	}
	put(line, "+");
	put_number(line, (uintptr_t)frame - (uintptr_t)info.dli_fbase, 16);
	if (info.dli_sname != NULL) {
		put(line, " (");
		put(line, info.dli_sname);
		put(line, "+");
		put_number(line, (uintptr_t)frame - (uintptr_t)info.dli_saddr, 16);
		put(line, ")");
	}
}

static const void *
program_counter(const void *context)
{
	const ucontext_t *user = context;

#if defined(__x86_64__)
	return (const void *)(uintptr_t)user->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (const void *)(uintptr_t)user->uc_mcontext.pc;
#else
	(void)user;
	return NULL;
#endif
}

/* Where it stood, but for abort(): who called that. */
static size_t
top_frame(void *const *frames, size_t count, const void *at)
{
	size_t first = 0;

	while (first < count && frames[first] != at)
		first++;
	if (first == count)
		first = 0;
	for (size_t i = first; i < count; i++) {
		Dl_info info = {0};

		if (dladdr(frames[i], &info) != 0 && info.dli_fname != NULL &&
		    !is_library(info.dli_fname))
			return i;
	}
	return first;
}

static void
on_crash(int number, siginfo_t *info, void *context)
{
	void *frames[FRAMES_MAX];
	int got = backtrace(frames, FRAMES_MAX);
	size_t count = got < 0 ? 0 : (size_t)got;
	const void *at = program_counter(context);
	size_t top = top_frame(frames, count, at);
	struct line line = {.length = 0};

	put(&line, "<3>crash: ");
	put(&line, signal_name(number));
	if (number == SIGSEGV || number == SIGBUS) {
		put(&line, ", address ");
		put_number(&line, (uintptr_t)info->si_addr, 16);
	}
	put(&line, ", at ");
	put_frame(&line, count > 0 ? frames[top] : at);
	say(&line);
	for (size_t i = 0; i < count; i++) {
		line.length = 0;
		put(&line, "<3>  #");
		put_number(&line, i, 10);
		put(&line, " ");
		put_frame(&line, frames[i]);
		say(&line);
	}
	/* SA_RESETHAND: as if we had not been here. */
	raise(number);
}

void
crash_watch(const char *name)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
	void *frames[2];

	plugin_name = name;
	(void)backtrace(frames, 2); /* loads the unwinder */
	if (sigaltstack(&alternate, NULL) != 0)
		return;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct sigaction before,
		    action = {.sa_sigaction = on_crash,
			.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};

		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			sigaction(numbers[i], &action, NULL);
	}
}
