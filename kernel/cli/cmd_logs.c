/* SPDX-License-Identifier: Apache-2.0 */
/* logs, plugin logs: the ends of HOME/log/NAME.log, text or JSON, in the order of their times. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"

#define LOG_LINES 20
#define LOG_TAIL_MAX (4u << 20)
#define LOGS_MAX 80 /* the kernel and NODE_PLUGINS_MAX plugins, with some that are gone */
#define FOLLOW_PAUSE_NS 200000000
#define TIME_LENGTH (sizeof "2026-11-24T15:04:05.123Z" - 1)

struct logs {
	struct cli *cli;
	int64_t lines;
	int level;                  /* the least severe that is shown */
	char since[CLOCK_TEXT_MAX]; /* "" for always */
	bool follow;
	size_t count;
	struct source {
		char name[64];
		char path[PATH_MAX];
		int fd;
		struct buf text;
		char time[TIME_LENGTH + 1]; /* of the line before, for one that has none */
	} sources[LOGS_MAX];
};

/* A line of some source, its newline not included. */
struct line {
	const struct source *source;
	const char *text;
	size_t length;
	size_t number; /* keeps lines of one millisecond in order */
	char time[TIME_LENGTH + 1];
	int level;
};

/* ---- lines ------------------------------------------------------------------------------ */

static void
set_level(struct line *line, const char *word, size_t length)
{
	for (int level = CAIRN_LOG_ERROR; level <= CAIRN_LOG_DEBUG; level++) {
		const char *name = log_level_text((enum cairn_log_level)level);

		if (strlen(name) == length && memcmp(name, word, length) == 0)
			line->level = level;
	}
}

/* Both formats begin with time and level: `TIME LEVEL `, `{"time":"TIME","level":"LEVEL"`. */
static void
read_head(struct source *source, struct line *line)
{
	static const char before[] = "{\"time\":\"", between[] = "\",\"level\":\"";
	bool json = line->length > 0 && line->text[0] == '{';
	size_t start = json ? sizeof before - 1 : 0;
	size_t word = start + TIME_LENGTH + (json ? sizeof between - 1 : 1);
	const char *end;

	line->level = CAIRN_LOG_INFO;
	if (line->length > word && line->text[start + 10] == 'T' &&
	    line->text[start + TIME_LENGTH - 1] == 'Z') {
		memcpy(source->time, line->text + start, TIME_LENGTH);
		end = memchr(line->text + word, json ? '"' : ' ', line->length - word);
		if (end != NULL)
			set_level(line, line->text + word, (size_t)(end - line->text) - word);
	}
	memcpy(line->time, source->time, sizeof line->time);
}

static bool
is_wanted(const struct logs *logs, const struct line *line)
{
	return line->level <= logs->level && strcmp(line->time, logs->since) >= 0;
}

static const char *
member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

/* As text, whatever the log is. */
static void
print_line(const struct logs *logs, const struct line *line)
{
	json_t *object =
	    line->text[0] == '{' ? json_loadb(line->text, line->length, 0, NULL) : NULL;
	char text[LOG_MESSAGE_MAX + 256];

	if (object != NULL)
		snprintf(text, sizeof text, "%s %s %s: %s", member(object, "time"),
		    member(object, "level"), member(object, "part"), member(object, "message"));
	else
		snprintf(text, sizeof text, "%.*s", (int)line->length, line->text);
	json_decref(object);
	fputs(cli_colour(logs->cli,
		  line->level == CAIRN_LOG_ERROR         ? CLI_RED
		      : line->level == CAIRN_LOG_WARNING ? CLI_YELLOW
							 : CLI_PLAIN),
	    stdout);
	cli_print_safe(stdout, text);
	printf("%s\n", cli_colour(logs->cli, CLI_PLAIN));
}

static json_t *
line_json(const struct line *line)
{
	json_t *object =
	    line->text[0] == '{' ? json_loadb(line->text, line->length, 0, NULL) : NULL;
	char text[LOG_MESSAGE_MAX + 256];

	if (object == NULL) {
		snprintf(text, sizeof text, "%.*s", (int)line->length, line->text);
		object = json_pack("{s:s, s:s, s:o}", "time", line->time, "level",
		    log_level_text((enum cairn_log_level)line->level), "text", cli_text(text));
	}
	json_object_set_new(object, "source", json_string(line->source->name));
	return object;
}

/* ---- the ends of the logs --------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct line *left = a, *right = b;
	int order = strcmp(left->time, right->time);

	return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static size_t
count_lines(const struct logs *logs)
{
	size_t count = 0;

	for (size_t i = 0; i < logs->count; i++) {
		for (size_t at = 0; at < logs->sources[i].text.length; at++)
			count += logs->sources[i].text.data[at] == '\n';
	}
	return count;
}

static size_t
gather(struct logs *logs, struct line *lines)
{
	size_t count = 0;

	for (size_t i = 0; i < logs->count; i++) {
		struct source *source = &logs->sources[i];
		const char *at = (const char *)source->text.data;
		const char *end = at + source->text.length, *newline;

		for (; at < end && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL;
		     at = newline + 1) {
			struct line *line = &lines[count];

			*line = (struct line){.source = source,
			    .text = at,
			    .length = (size_t)(newline - at),
			    .number = count};
			read_head(source, line);
			count += line->length > 0 && is_wanted(logs, line);
		}
	}
	qsort(lines, count, sizeof *lines, compare);
	return count;
}

/* Shows at most `max` of what the sources hold, and empties them. */
static int
show(struct logs *logs, size_t max, json_t *list)
{
	struct line *lines = calloc(count_lines(logs) + 1, sizeof *lines);
	size_t count;

	if (lines == NULL)
		return CAIRN_ENOMEM;
	count = gather(logs, lines);
	for (size_t i = count > max ? count - max : 0; i < count; i++) {
		if (list != NULL)
			json_array_append_new(list, line_json(&lines[i]));
		else
			print_line(logs, &lines[i]);
	}
	free(lines);
	for (size_t i = 0; i < logs->count; i++) {
		struct buf *text = &logs->sources[i].text;
		const uint8_t *last =
		    text->length == 0 ? NULL : memrchr(text->data, '\n', text->length);

		if (last != NULL)
			buf_consume(text, (size_t)(last - text->data) + 1);
	}
	fflush(stdout);
	return 0;
}

/* ---- files ------------------------------------------------------------------------------ */

static int
source_add(struct logs *logs, const char *name)
{
	struct source *source = &logs->sources[logs->count];
	struct stat st;

	if (logs->count == LOGS_MAX ||
	    snprintf(source->name, sizeof source->name, "%s", name) >= (int)sizeof source->name ||
	    snprintf(source->path, sizeof source->path, "%s/log/%s.log", logs->cli->home, name) >=
		(int)sizeof source->path)
		return CAIRN_ELIMIT;
	source->fd = open(source->path, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		return CAIRN_ENOTFOUND;
	source->text.max = 2 * LOG_TAIL_MAX;
	logs->count++;
	if (fstat(source->fd, &st) == 0 && st.st_size > (off_t)LOG_TAIL_MAX)
		(void)lseek(source->fd, st.st_size - (off_t)LOG_TAIL_MAX, SEEK_SET);
	return 0;
}

/* The log was renamed away when it was full: another file has its name now. */
static bool
is_rotated(const struct source *source)
{
	struct stat open_one, named;

	return fstat(source->fd, &open_one) == 0 && stat(source->path, &named) == 0 &&
	    open_one.st_ino != named.st_ino;
}

/* What has come since the last time; whether there was any. */
static bool
source_read(struct source *source)
{
	char bytes[16384];
	bool some = false;

	while (source->text.length < LOG_TAIL_MAX) {
		ssize_t got = read(source->fd, bytes, sizeof bytes);

		if (got > 0) {
			some = buf_append(&source->text, bytes, (size_t)got) == 0 || some;
		} else if (is_rotated(source)) {
			close(source->fd);
			source->fd = open(source->path, O_RDONLY | O_CLOEXEC);
			if (source->fd < 0)
				break;
		} else {
			break;
		}
	}
	return some;
}

static int
follow(struct logs *logs)
{
	const struct timespec pause = {.tv_nsec = FOLLOW_PAUSE_NS};

	for (;;) {
		bool some = false;

		for (size_t i = 0; i < logs->count; i++)
			some = source_read(&logs->sources[i]) || some;
		if (!some)
			nanosleep(&pause, NULL);
		else if (show(logs, SIZE_MAX, NULL) != 0)
			return CLI_FAILED;
	}
}

static int
run(struct logs *logs)
{
	json_t *list = logs->cli->json ? json_array() : NULL;
	bool empty = true;
	int code;

	for (size_t i = 0; i < logs->count; i++)
		empty = !source_read(&logs->sources[i]) && empty;
	code = show(logs, (size_t)logs->lines, list);
	if (code != 0)
		return cli_failf(logs->cli, code, "out of memory");
	if (list != NULL)
		return cli_print_json(json_pack("{s:o}", "lines", list));
	if (empty)
		printf("the log is empty: %s has said nothing yet\n",
		    logs->count == 1 ? logs->sources[0].name : "nobody");
	fflush(stdout);
	return logs->follow ? follow(logs) : CLI_DONE;
}

static int
all_sources(struct logs *logs)
{
	char path[PATH_MAX];
	DIR *dir;
	const struct dirent *entry;

	if (file_join(path, sizeof path, logs->cli->home, "log") != 0 ||
	    (dir = opendir(path)) == NULL)
		return cli_failf(logs->cli, CAIRN_ENOTFOUND, "%s/log: %s; has the node ever run?",
		    logs->cli->home, strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);
		char name[64];

		if (length <= 4 || length - 4 >= sizeof name ||
		    strcmp(entry->d_name + length - 4, ".log") != 0)
			continue;
		memcpy(name, entry->d_name, length - 4);
		name[length - 4] = 0;
		(void)source_add(logs, name);
	}
	closedir(dir);
	return CLI_DONE;
}

/* ---- options ---------------------------------------------------------------------------- */

/* A time as logs write it (or its beginning), or how long ago. */
static int
parse_since(const char *text, char ret[CLOCK_TEXT_MAX])
{
	static const char units[] = "smhd";
	static const uint64_t seconds[] = {1, 60, 3600, 86400};
	size_t length = strlen(text);
	const char *unit = length < 2 ? NULL : strchr(units, text[length - 1]);
	char digits[16];
	int64_t number;

	if (length >= 10 && length < CLOCK_TEXT_MAX && text[4] == '-' && text[7] == '-') {
		snprintf(ret, CLOCK_TEXT_MAX, "%s", text);
		if (ret[length - 1] == 'Z')
			ret[length - 1] = 0;
		return 0;
	}
	if (unit == NULL || length > sizeof digits)
		return CAIRN_EINVAL;
	snprintf(digits, sizeof digits, "%.*s", (int)length - 1, text);
	if (text_to_integer(digits, 1, 1000000, &number) != 0)
		return CAIRN_EINVAL;
	clock_text(clock_wall_ms() - (uint64_t)number * seconds[unit - units] * 1000, ret);
	return 0;
}

static int
parse_options(struct logs *logs, int argc, char **argv)
{
	const char *lines = NULL, *level = NULL, *since = NULL;
	const struct cli_option options[] = {{"--lines", &lines, NULL}, {"--level", &level, NULL},
	    {"--since", &since, NULL}, {"--follow", NULL, &logs->follow}, {0}};
	enum cairn_log_level least = CAIRN_LOG_DEBUG;
	struct cli *cli = logs->cli;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return -1;
	if (lines != NULL && text_to_integer(lines, 1, 1000000, &logs->lines) != 0)
		cli_usage(cli, "--lines takes a number from 1 to 1000000, not '%s'", lines);
	else if (level != NULL && log_level_parse(level, &least) != 0)
		cli_usage(cli, "--level takes error, warning, info or debug, not '%s'", level);
	else if (since != NULL && parse_since(since, logs->since) != 0)
		cli_usage(
		    cli, "--since takes 2026-11-24T15:04:05Z, 30s, 10m, 2h or 1d, not '%s'", since);
	else if (logs->follow && cli->json)
		cli_usage(cli, "--follow and --json do not go together");
	else {
		logs->level = (int)least;
		return argc;
	}
	return -1;
}

static struct logs *
logs_new(struct cli *cli)
{
	struct logs *logs = calloc(1, sizeof *logs);

	if (logs != NULL) {
		logs->cli = cli;
		logs->lines = LOG_LINES;
	}
	return logs;
}

static int
logs_free(struct logs *logs, int status)
{
	for (size_t i = 0; i < logs->count; i++) {
		buf_fini(&logs->sources[i].text);
		if (logs->sources[i].fd >= 0)
			close(logs->sources[i].fd);
	}
	free(logs);
	return status;
}

int
cli_logs_run(struct cli *cli, int argc, char **argv)
{
	struct logs *logs = logs_new(cli);
	int code;

	if (logs == NULL)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	argc = parse_options(logs, argc, argv);
	if (argc != 1)
		return logs_free(logs, argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin"));
	if (strspn(argv[0], "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(argv[0]))
		return logs_free(logs,
		    cli_usage(cli, "'%s' is no plugin's name (see: cairn plugin list)", argv[0]));
	code = source_add(logs, argv[0]);
	if (code != 0)
		return logs_free(logs,
		    cli_failf(cli, code, "no log of such a plugin yet (%s/log/%s.log)", cli->home,
			argv[0]));
	return logs_free(logs, run(logs));
}

int
cli_all_logs_run(struct cli *cli, int argc, char **argv)
{
	struct logs *logs = logs_new(cli);
	int status;

	if (logs == NULL)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	argc = parse_options(logs, argc, argv);
	if (argc != 0)
		return logs_free(logs,
		    argc < 0 ? CLI_USAGE : cli_usage(cli, "see cairn plugin logs for one plugin"));
	status = all_sources(logs);
	return logs_free(logs, status == CLI_DONE ? run(logs) : status);
}
