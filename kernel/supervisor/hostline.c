/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/hostline.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define TIME_LENGTH (sizeof "2026-11-24T15:04:05.123Z" - 1)
#define CREDIBLE_MS 60000
#define TOPIC_MAX 32
#define TOPIC_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-_."

/* ---- the shape of log_line() ------------------------------------------------------------ */

static bool
parse_number(const char *at, size_t digits, unsigned *ret)
{
	unsigned value = 0;

	for (size_t i = 0; i < digits; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		value = value * 10 + (unsigned)(at[i] - '0');
	}
	*ret = value;
	return true;
}

static bool
parse_time(const char *at, size_t length, uint64_t *ret)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	unsigned year, month, day, hour, minute, second, ms;
	int32_t days;

	for (size_t i = 0; i < TIME_LENGTH; i++) {
		if (i >= length ||
		    (shape[i] == 'd' ? at[i] < '0' || at[i] > '9' : at[i] != shape[i]))
			return false;
	}
	if (!parse_number(at, 4, &year) || !parse_number(at + 5, 2, &month) ||
	    !parse_number(at + 8, 2, &day) || !parse_number(at + 11, 2, &hour) ||
	    !parse_number(at + 14, 2, &minute) || !parse_number(at + 17, 2, &second) ||
	    !parse_number(at + 20, 3, &ms) ||
	    clock_days((int)year, (int)month, (int)day, &days) != 0 || days < 0)
		return false;
	*ret = (((uint64_t)days * 24 + hour) * 60 + minute) * 60000 + (uint64_t)second * 1000 + ms;
	return true;
}

static bool
take_word(struct log_entry *entry, const char *word)
{
	size_t length = strlen(word);

	if (entry->length < length || memcmp(entry->message, word, length) != 0)
		return false;
	entry->message += length;
	entry->length -= length;
	return true;
}

static bool
take_level(struct log_entry *entry, const char *before, const char *after)
{
	for (int level = CAIRN_LOG_ERROR; level <= CAIRN_LOG_DEBUG; level++) {
		char word[24];

		snprintf(word, sizeof word, "%s%s%s", before,
		    log_level_text((enum cairn_log_level)level), after);
		if (take_word(entry, word)) {
			entry->level = (enum cairn_log_level)level;
			return true;
		}
	}
	return false;
}

static void
take_own_name(const struct hostline *lines, struct log_entry *entry)
{
	struct log_entry rest = *entry;

	if (take_word(&rest, lines->plugin) && take_word(&rest, ": "))
		*entry = rest;
}

/* The name of a file that speaks inside the plugin (sdk/base/log.h) and what ends it. */
static bool
is_topic(const struct log_entry *entry)
{
	size_t length = 0;

	while (length < entry->length && length <= TOPIC_MAX &&
	    (memchr(TOPIC_LETTERS, entry->message[length], sizeof TOPIC_LETTERS - 1) != NULL))
		length++;
	return length > 0 && length <= TOPIC_MAX && length + 1 < entry->length &&
	    entry->message[length] == ':' && entry->message[length + 1] == ' ';
}

/* A library's topic stays in the text, behind the plugin's name: so none passes for the kernel's
 * or for another plugin's. */
static void
take_shape(const struct hostline *lines, struct log_entry *entry)
{
	struct log_entry shaped = *entry;
	uint64_t now = entry->wall_ms, said;

	if (!parse_time(shaped.message, shaped.length, &said))
		return;
	shaped.message += TIME_LENGTH;
	shaped.length -= TIME_LENGTH;
	if (!take_level(&shaped, " ", " ") || !is_topic(&shaped))
		return;
	if (!take_word(&shaped, "host: "))
		take_own_name(lines, &shaped);
	if (said + CREDIBLE_MS > now && said < now + CREDIBLE_MS)
		shaped.wall_ms = said;
	*entry = shaped;
}

/* sd-daemon(3): a priority before a line. */
static void
take_priority(struct log_entry *entry)
{
	static const enum cairn_log_level levels[] = {CAIRN_LOG_ERROR, CAIRN_LOG_ERROR,
	    CAIRN_LOG_ERROR, CAIRN_LOG_ERROR, CAIRN_LOG_WARNING, CAIRN_LOG_INFO, CAIRN_LOG_INFO,
	    CAIRN_LOG_DEBUG};

	if (entry->length < 3 || entry->message[0] != '<' || entry->message[1] < '0' ||
	    entry->message[1] > '7' || entry->message[2] != '>')
		return;
	entry->level = levels[entry->message[1] - '0'];
	entry->message += 3;
	entry->length -= 3;
}

/* ---- lines ------------------------------------------------------------------------------ */

static void
keep_crash(struct hostline *lines)
{
	const size_t mark = sizeof HOSTLINE_CRASH - 1;

	if (lines->crash[0] == 0 && lines->length > mark &&
	    memcmp(lines->part, HOSTLINE_CRASH, mark) == 0)
		snprintf(lines->crash, sizeof lines->crash, "%.*s", (int)(lines->length - mark),
		    lines->part + mark);
}

void
hostline_end(struct hostline *lines)
{
	struct log_entry entry = {.wall_ms = clock_wall_ms(),
	    .level = CAIRN_LOG_INFO,
	    .part = lines->plugin,
	    .plugin = lines->plugin,
	    .version = lines->version,
	    .pid = lines->pid,
	    .message = lines->part,
	    .length = lines->length};

	while (entry.length > 0 && entry.message[entry.length - 1] == '\r')
		entry.length--;
	if (entry.length > 0) {
		keep_crash(lines);
		if (entry.message[0] == '<')
			take_priority(&entry);
		else
			take_shape(lines, &entry);
		(void)log_line_format(&lines->out, lines->format, &entry);
	}
	lines->length = 0;
}

void
hostline_take(struct hostline *lines, const char *bytes, size_t length)
{
	while (length > 0) {
		const char *newline = memchr(bytes, '\n', length);
		size_t taken = newline == NULL ? length : (size_t)(newline - bytes);
		size_t room = sizeof lines->part - lines->length;

		if (taken > room)
			taken = room;
		memcpy(lines->part + lines->length, bytes, taken);
		lines->length += taken;
		bytes += taken;
		length -= taken;
		if (length > 0 && *bytes == '\n') {
			bytes++;
			length--;
			hostline_end(lines);
		} else if (lines->length == sizeof lines->part) {
			hostline_end(lines);
		}
	}
}
