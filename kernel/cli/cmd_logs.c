/* SPDX-License-Identifier: Apache-2.0 */
/* plugin logs: the end of HOME/log/NAME.log. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"

#define LOG_LINES 20
#define LOG_TAIL_MAX (4u << 20)
#define FOLLOW_PAUSE_NS 200000000

/* Where the last `lines` lines of what was read begin. */
static size_t
tail_start(const struct buf *text, int64_t lines)
{
	size_t at = text->length;

	while (at > 0 && lines > 0) {
		at--;
		if (text->data[at] == '\n' && at + 1 < text->length && --lines == 0)
			return at + 1;
	}
	return at;
}

static void
print_lines(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool c1 = bytes[i] >= 0x80 && bytes[i] < 0xa0 &&
		    (i == 0 || bytes[i - 1] < 0x80 ||
			bytes[i - 1] == 0xc2); /* U+0080 to U+009F, or no UTF-8 */
		bool c0 = bytes[i] < 32 && bytes[i] != '\n' && bytes[i] != '\t';

		putchar(c0 || c1 || bytes[i] == 127 ? '?' : bytes[i]);
	}
	fflush(stdout);
}

/* The log was renamed away when it was full: another file has its name now. */
static bool
is_rotated(const char *path, int fd)
{
	struct stat open_one, named;

	return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
	    open_one.st_ino != named.st_ino;
}

static int
follow(const char *path, int *fd)
{
	const struct timespec pause = {.tv_nsec = FOLLOW_PAUSE_NS};
	uint8_t bytes[4096];

	for (;;) {
		ssize_t got = read(*fd, bytes, sizeof bytes);

		if (got < 0)
			return CLI_FAILED;
		if (got > 0) {
			print_lines(bytes, (size_t)got);
		} else if (is_rotated(path, *fd)) {
			close(*fd);
			*fd = open(path, O_RDONLY | O_CLOEXEC);
		} else {
			nanosleep(&pause, NULL);
		}
	}
}

static json_t *
lines_json(const struct buf *text, size_t at)
{
	json_t *lines = json_array();

	while (at < text->length) {
		const uint8_t *start = text->data + at;
		const uint8_t *newline = memchr(start, '\n', text->length - at);
		size_t length = newline == NULL ? text->length - at : (size_t)(newline - start);
		json_t *line = json_stringn((const char *)start, length);

		json_array_append_new(lines, line == NULL ? json_string("(not UTF-8)") : line);
		at += length + 1;
	}
	return lines;
}

static int
show_log(struct cli *cli, const char *path, int64_t lines, bool follow_it)
{
	BUF_AUTO text = {.max = LOG_TAIL_MAX + 1};
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	off_t from;
	size_t start;

	if (fd < 0 || fstat(fd, &st) != 0)
		return cli_failf(cli, CAIRN_ENOTFOUND, "no log of such a plugin yet (%s: %s)", path,
		    strerror(errno));
	from = st.st_size > (off_t)LOG_TAIL_MAX ? st.st_size - (off_t)LOG_TAIL_MAX : 0;
	if (lseek(fd, from, SEEK_SET) < 0 ||
	    buf_append_zero(&text, (size_t)(st.st_size - from)) != 0 ||
	    file_read_all(fd, text.data, text.length) != 0)
		return cli_failf(cli, CAIRN_EIO, "cannot read %s", path);
	start = tail_start(&text, lines);
	if (cli->json)
		return cli_print_json(json_pack("{s:o}", "lines", lines_json(&text, start)));
	print_lines(text.data + start, text.length - start);
	return follow_it ? follow(path, &fd) : CLI_DONE;
}

int
cli_logs_run(struct cli *cli, int argc, char **argv)
{
	const char *lines_text = NULL;
	bool follow_it = false;
	const struct cli_option options[] = {
	    {"--lines", &lines_text, NULL}, {"--follow", NULL, &follow_it}, {0}};
	int64_t lines = LOG_LINES;
	char path[PATH_MAX];

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin");
	if (lines_text != NULL && text_to_integer(lines_text, 1, 1000000, &lines) != 0)
		return cli_usage(
		    cli, "--lines takes a number from 1 to 1000000, not '%s'", lines_text);
	if (follow_it && cli->json)
		return cli_usage(cli, "--follow and --json do not go together");
	if (strspn(argv[0], "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(argv[0]))
		return cli_usage(cli, "'%s' is no plugin's name (see: cairn plugin list)", argv[0]);
	if (snprintf(path, sizeof path, "%s/log/%s.log", cli->home, argv[0]) >= (int)sizeof path)
		return cli_failf(cli, CAIRN_ELIMIT, "the home's path is too long");
	return show_log(cli, path, lines, follow_it);
}
