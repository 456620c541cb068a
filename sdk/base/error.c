/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cairn/error.h>

int
cairn_error_set(struct cairn_error *err, int code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return code;
}

int
cairn_error_prefix(struct cairn_error *err, int code, const char *format, ...)
{
	char context[CAIRN_ERROR_TEXT_MAX];
	char text[CAIRN_ERROR_TEXT_MAX];
	va_list args;

	if (err == NULL)
		return code;
	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	memcpy(text, err->text, sizeof text);
	snprintf(err->text, sizeof err->text, "%.*s: %.*s", 200, context, 300, text);
	return err->code;
}

const char *
cairn_code_text(int code)
{
	static const char *const texts[] = {"done", "wrong input", "out of memory",
	    "input/output error", "not found", "exists already", "denied by policy",
	    "deadline passed", "cancelled", "nobody to answer", "limit reached", "damaged",
	    "not supported", "more needed", "protocol broken", "internal error",
	    "capability not granted"};
	int index = -code;

	if (index < 0 || index >= (int)(sizeof texts / sizeof texts[0]))
		return "unknown error";
	return texts[index];
}
