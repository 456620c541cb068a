/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 2048
#define REQUEST_MARK "(request "

static _Atomic int log_level = CAIRN_LOG_INFO;
static _Atomic int log_format = LOG_TEXT;
static _Atomic int log_copy = -1;
static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int priorities[] = {3, 4, 6, 7}; /* RFC 5424 6.2.1 */

void
log_set_level(enum cairn_log_level level)
{
	atomic_store(&log_level, (int)level);
}

void
log_set_format(enum log_format format)
{
	atomic_store(&log_format, (int)format);
}

void
log_set_copy(int fd)
{
	atomic_store(&log_copy, fd);
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

int
log_format_parse(const char *text, enum log_format *ret)
{
	if (strcmp(text, "text") != 0 && strcmp(text, "json") != 0)
		return CAIRN_EINVAL;
	*ret = text[0] == 'j' ? LOG_JSON : LOG_TEXT;
	return 0;
}

/* ---- clean text ------------------------------------------------------------------------- */

/* The length of the character at `at` (RFC 3629), 0 when it is none or controls something. */
static size_t
character(const uint8_t *at, size_t left)
{
	uint32_t value = at[0];
	size_t length = value < 0x80 ? 1 : value < 0xe0 ? 2 : value < 0xf0 ? 3 : 4;
	static const uint32_t least[] = {0, 0x20, 0xa0, 0x800, 0x10000};

	if ((value >= 0x80 && value < 0xc2) || value > 0xf4 || length > left)
		return 0;
	if (length > 1)
		value &= 0x7fu >> length;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3fu);
	}
	/* C0 and DEL, C1, surrogates, and what changes the direction or breaks a line. */
	if (value < least[length] || value == 0x7f || value > 0x10ffff ||
	    (value >= 0xd800 && value < 0xe000) || (value >= 0x2028 && value <= 0x202e) ||
	    (value >= 0x2066 && value <= 0x2069))
		return 0;
	return length;
}

static int
append_clean(struct buf *out, const char *text, size_t length, bool json)
{
	const uint8_t *at = (const uint8_t *)text;
	int code = 0;

	while (length > 0 && code == 0) {
		size_t taken = *at == '\t' ? 1 : character(at, length);

		if (taken == 0 || *at == '\t')
			code = buf_append_text(out, taken == 0 ? "?" : " ");
		else if (json && (*at == '"' || *at == '\\'))
			code = buf_append_format(out, "\\%c", *at);
		else
			code = buf_append(out, at, taken);
		taken = taken == 0 ? 1 : taken;
		at += taken;
		length -= taken;
	}
	return code;
}

/* ---- one line --------------------------------------------------------------------------- */

/* The ID of the last `(request ID)`; its length, 0 when there is none. */
static size_t
find_request(const struct log_entry *entry, const char **ret)
{
	static const char digits[] = "0123456789abcdef";
	const char *end = entry->message + entry->length;
	const char *at = entry->message;
	size_t found = 0;

	while (
	    (at = memmem(at, (size_t)(end - at), REQUEST_MARK, sizeof REQUEST_MARK - 1)) != NULL) {
		size_t length = 0;

		at += sizeof REQUEST_MARK - 1;
		while (at + length < end && at[length] != 0 && strchr(digits, at[length]) != NULL)
			length++;
		if (length > 0 && length <= LOG_REQUEST_MAX && at + length < end &&
		    at[length] == ')') {
			*ret = at;
			found = length;
		}
	}
	return found;
}

static int
append_member(struct buf *out, const char *name, const char *text, size_t length)
{
	int code = buf_append_format(out, ",\"%s\":\"", name);

	if (code == 0)
		code = append_clean(out, text, length, true);
	return code == 0 ? buf_append_text(out, "\"") : code;
}

static int
append_json(struct buf *out, const struct log_entry *entry, const char *time)
{
	const char *request = "";
	size_t request_length = find_request(entry, &request);
	int code = buf_append_format(
	    out, "{\"time\":\"%s\",\"level\":\"%s\"", time, log_level_text(entry->level));

	if (code == 0)
		code = append_member(out, "part", entry->part, strlen(entry->part));
	if (code == 0 && entry->plugin != NULL)
		code = append_member(out, "plugin", entry->plugin, strlen(entry->plugin));
	if (code == 0 && entry->version != NULL)
		code = append_member(out, "version", entry->version, strlen(entry->version));
	if (code == 0)
		code = buf_append_format(out, ",\"pid\":%d", entry->pid);
	if (code == 0 && request_length > 0)
		code = append_member(out, "request", request, request_length);
	if (code == 0)
		code = append_member(out, "message", entry->message, entry->length);
	return code == 0 ? buf_append_text(out, "}\n") : code;
}

static int
append_text(struct buf *out, const struct log_entry *entry, const char *time)
{
	int code = buf_append_format(out, "%s %s ", time, log_level_text(entry->level));

	if (code == 0)
		code = append_clean(out, entry->part, strlen(entry->part), false);
	if (code == 0)
		code = buf_append_text(out, ": ");
	if (code == 0)
		code = append_clean(out, entry->message, entry->length, false);
	return code == 0 ? buf_append_text(out, "\n") : code;
}

int
log_line_format(struct buf *out, enum log_format format, const struct log_entry *entry)
{
	struct log_entry cut = *entry;
	char time[CLOCK_TEXT_MAX];

	if (cut.length > LOG_MESSAGE_MAX)
		cut.length = LOG_MESSAGE_MAX;
	clock_text(cut.wall_ms, time);
	return format == LOG_JSON ? append_json(out, &cut, time) : append_text(out, &cut, time);
}

/* ---- to standard error ------------------------------------------------------------------ */

/* systemd.exec(5): standard error is the journal when it is this very file. */
static bool
is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char mine[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(mine, sizeof mine, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	return strcmp(stream, mine) == 0;
}

static void
write_line(int fd, const char *prefix, const uint8_t *bytes, size_t length)
{
	char line[LINE_MAX_BYTES * 3];
	int wrote = snprintf(line, sizeof line, "%s%.*s", prefix, (int)length, (const char *)bytes);

	if (wrote > 0 &&
	    write(fd, line, (size_t)wrote < sizeof line ? (size_t)wrote : sizeof line - 1) < 0)
		return; /* nowhere left to say it */
}

/* One write(2) a line, so that lines of several threads and processes do not mix. */
static void
emit(const struct log_entry *entry)
{
	enum log_format format = (enum log_format)atomic_load(&log_format);
	BUF_AUTO out = {.max = LINE_MAX_BYTES * 4};
	int copy = atomic_load(&log_copy);
	bool journal = is_journal();
	const uint8_t *line;
	char prefix[8] = "";
	size_t skip = 0;

	if (log_line_format(&out, format, entry) != 0)
		return;
	if (copy >= 0)
		write_line(copy, "", out.data, out.length);
	line = out.data;
	if (journal) {
		snprintf(prefix, sizeof prefix, "<%d>", priorities[entry->level]);
		/* The journal notes time and level. */
		for (unsigned words = format == LOG_TEXT ? 2 : 0; words > 0; words--)
			skip += strcspn((const char *)line + skip, " ") + 1;
	}
	write_line(STDERR_FILENO, prefix, line + skip, out.length - skip);
}

void
log_line(enum cairn_log_level level, const char *topic, const char *format, ...)
{
	char message[LINE_MAX_BYTES];
	struct log_entry entry = {.wall_ms = clock_wall_ms(),
	    .level = level,
	    .part = topic,
	    .pid = (int)getpid(),
	    .message = message};
	va_list args;
	int wrote;

	if ((int)level > atomic_load(&log_level) ||
	    (size_t)level >= sizeof priorities / sizeof priorities[0])
		return;
	va_start(args, format);
	wrote = vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (wrote < 0)
		return;
	entry.length = (size_t)wrote < sizeof message ? (size_t)wrote : sizeof message - 1;
	for (size_t i = 0; i < entry.length; i++) {
		if (message[i] == '\n' || message[i] == '\r')
			message[i] = ' ';
	}
	emit(&entry);
}
