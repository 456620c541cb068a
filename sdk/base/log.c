/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 2048

static _Atomic int log_level = CAIRN_LOG_INFO;
static const char *const level_names[] = {"error", "warning", "info", "debug"};

void
log_set_level(enum cairn_log_level level)
{
	atomic_store(&log_level, (int)level);
}

const char *
log_level_text(enum cairn_log_level level)
{
	return (size_t)level < sizeof level_names / sizeof level_names[0] ? level_names[level]
									  : "info";
}

int
log_level_parse(const char *text, enum cairn_log_level *ret)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
		if (strcmp(level_names[i], text) == 0) {
			*ret = (enum cairn_log_level)i;
			return 0;
		}
	}
	return CAIRN_EINVAL;
}

/* One write(2) a line, so that lines of several threads and processes do not mix. */
void
log_line(enum cairn_log_level level, const char *topic, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	char time[CLOCK_TEXT_MAX];
	va_list args;
	size_t length;
	int wrote;

	if ((int)level > atomic_load(&log_level))
		return;
	clock_text(clock_wall_ms(), time);
	wrote = snprintf(line, sizeof line, "%s %s %s: ", time, level_names[level], topic);
	length = wrote < 0 ? 0 : (size_t)wrote;
	if (length < sizeof line - 1) {
		va_start(args, format);
		wrote = vsnprintf(line + length, sizeof line - length - 1, format, args);
		va_end(args);
		length += wrote < 0 ? 0 : (size_t)wrote;
	}
	if (length > sizeof line - 2)
		length = sizeof line - 2;
	for (size_t i = 0; i < length; i++) {
		if (line[i] == '\n' || line[i] == '\r')
			line[i] =
			    ' '; /* one event, one line: text from outside cannot forge another */
	}
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0)
		return; /* nowhere left to say it */
}
