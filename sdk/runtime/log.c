/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "runtime/private.h"

#define TEXT_MAX 1536

/* cairn_log() may be called on any thread and takes no handle, so the plugin's name is the one
 * thing a host process keeps outside `struct cairn`; it is set before the plugin runs. */
static _Atomic(const char *) topic = RUNTIME_TOPIC;

void
runtime_log_topic(const char *name)
{
	atomic_store(&topic, name);
}

void
cairn_log(enum cairn_log_level level, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	int wrote;

	va_start(args, format);
	wrote = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (wrote >= 0)
		log_line(level, atomic_load(&topic), "%s", text);
}
