/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * Log lines on standard error.  As text, `2026-11-24T15:04:05.123Z warning supervisor: text`; where
 * the system's journal takes them, which notes the time itself, `<4>supervisor: text` (the number
 * is syslog's priority); as JSON, one object a line (log_line_format()).  One layer logs an error:
 * the one where its travel ends.  A line about a request ends in `(request ID)`, so that it can be
 * found by that.  Never patient data, never secrets.  Any thread.
 */

#include <stdbool.h>

#include <cairn/plugin.h>

#include "base/buf.h"

/* `topic` names the file or plugin that speaks. */
void log_line(enum cairn_log_level level, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Level, format and copy are the tree's only global variables. */
void log_set_level(enum cairn_log_level level);
enum log_format { LOG_TEXT, LOG_JSON };
void log_set_format(enum log_format format);
/* Every line is also written to this descriptor, which stays open for good; -1: to none. */
void log_set_copy(int fd);

/* "error", "warning", "info", "debug", and back (CAIRN_EINVAL). */
const char *log_level_text(enum cairn_log_level level);
int log_level_parse(const char *text, enum cairn_log_level *ret);
int log_format_parse(const char *text, enum log_format *ret);

#define LOG_REQUEST_MAX 64
#define LOG_MESSAGE_MAX 8192 /* what is beyond is cut */

/* A line and where it comes from. */
struct log_entry {
	uint64_t wall_ms;
	enum cairn_log_level level;
	const char *part;             /* the file, or the plugin's name */
	const char *plugin, *version; /* of a plugin's line, or NULL */
	int pid;
	const char *message; /* need not end in a zero */
	size_t length;
};

/* Appends the line with its newline.  What a terminal or another reader could take for something
 * else (control characters, what is no UTF-8) becomes '?'.  0, CAIRN_ENOMEM, CAIRN_ELIMIT. */
int log_line_format(struct buf *out, enum log_format format, const struct log_entry *entry);

#define log_error(topic, ...) log_line(CAIRN_LOG_ERROR, topic, __VA_ARGS__)
#define log_warning(topic, ...) log_line(CAIRN_LOG_WARNING, topic, __VA_ARGS__)
#define log_info(topic, ...) log_line(CAIRN_LOG_INFO, topic, __VA_ARGS__)
#define log_debug(topic, ...) log_line(CAIRN_LOG_DEBUG, topic, __VA_ARGS__)

#endif
