/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cairn/hl7.h>

#define ECHO_MAX 200 /* bytes of a field that we send back */

struct ack {
	char *text;
	size_t length, size;
};

static void __attribute__((format(printf, 2, 3))) add(struct ack *ack, const char *format, ...)
{
	va_list arguments;
	int wrote;

	va_start(arguments, format);
	wrote = vsnprintf(ack->text + ack->length, ack->size - ack->length, format, arguments);
	va_end(arguments);
	if (wrote > 0 && (size_t)wrote < ack->size - ack->length)
		ack->length += (size_t)wrote;
}

/* `count` delimiters, and behind them a field of the sender's header, as it was sent. */
static void
echo(struct ack *ack, const struct hl7 *m, unsigned count, unsigned number)
{
	struct hl7_span msh = hl7_segment(m, (struct hl7_span){0}, "MSH");
	struct hl7_span span = hl7_field(m, msh, number);

	while (count-- > 0)
		add(ack, "%c", m->field);
	if (span.length > 0 && span.length <= ECHO_MAX)
		add(ack, "%.*s", (int)span.length, span.at);
}

/* Table 0155: AL always, NE never, ER after an error, SU after success. */
static bool
is_wanted(struct hl7_span when, bool good)
{
	return hl7_is(when, "AL") || hl7_is(when, good ? "SU" : "ER");
}

/* 'A' in original mode; in enhanced mode 'C' or 'A' as the sender wants it, or 0: none. */
static char
kind_of(const struct hl7 *m, bool good)
{
	struct hl7_span msh = hl7_segment(m, (struct hl7_span){0}, "MSH");
	struct hl7_span accept = hl7_field(m, msh, 15), application = hl7_field(m, msh, 16);

	if (accept.length == 0 && application.length == 0)
		return 'A';
	if (is_wanted(accept, good))
		return 'C';
	return is_wanted(application, good) ? 'A' : 0;
}

static void
add_header(struct ack *ack, const struct hl7 *m)
{
	struct timespec now;
	struct tm tm;
	char text[32] = "";

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &tm) != NULL)
		strftime(text, sizeof text, "%Y%m%d%H%M%S+0000", &tm);
	add(ack, "MSH%c%c%c%c%c", m->field, m->component, m->repetition, m->escape,
	    m->subcomponent);
	echo(ack, m, 1, 5);
	echo(ack, m, 1, 6);
	echo(ack, m, 1, 3);
	echo(ack, m, 1, 4);
	add(ack, "%c%s%c%cACK%c", m->field, text, m->field, m->field, m->field);
	add(ack, "%llx%08lx", (unsigned long long)now.tv_sec, (unsigned long)now.tv_nsec);
	echo(ack, m, 1, 11);
	echo(ack, m, 1, 12);
	echo(ack, m, 6, 18);
	add(ack, "\r");
}

size_t
hl7_ack(const struct hl7 *m, struct hl7_problem problem, char *ret, size_t size)
{
	bool good = problem.severity == 0;
	struct ack ack = {ret, 0, size};
	struct hl7 sent = *m; /* the header in its own character set */
	char kind, f = m->field, c = m->component;

	sent.all = m->raw;
	kind = kind_of(&sent, good);
	if (kind == 0)
		return 0;
	add_header(&ack, &sent);
	add(&ack, "MSA%c%c%c", f, kind, good ? 'A' : problem.severity);
	echo(&ack, &sent, 1, 10);
	add(&ack, "\r");
	if (!good)
		add(&ack, "ERR%c%c%s%c%u%c%u%c%u%c%cHL70357%cE%c%c%c%c%s\r", f, f, problem.segment,
		    c, problem.sequence, c, problem.field, f, problem.code, c, c, f, f, f, f, f,
		    problem.text);
	return ack.length;
}
