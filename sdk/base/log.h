/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * Log lines on standard error: `2026-11-24T15:04:05.123Z warning supervisor: text`.  One layer
 * logs an error: the one where its travel ends.  Never patient data, never secrets.  Any thread.
 */

#include <cairn/plugin.h>

/* `topic` names the file or plugin that speaks.  The level is the tree's one global variable. */
void log_line(enum cairn_log_level level, const char *topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_set_level(enum cairn_log_level level);
/* "error", "warning", "info", "debug", and back (CAIRN_EINVAL). */
const char *log_level_text(enum cairn_log_level level);
int log_level_parse(const char *text, enum cairn_log_level *ret);

#define log_error(topic, ...) log_line(CAIRN_LOG_ERROR, topic, __VA_ARGS__)
#define log_warning(topic, ...) log_line(CAIRN_LOG_WARNING, topic, __VA_ARGS__)
#define log_info(topic, ...) log_line(CAIRN_LOG_INFO, topic, __VA_ARGS__)
#define log_debug(topic, ...) log_line(CAIRN_LOG_DEBUG, topic, __VA_ARGS__)

#endif
