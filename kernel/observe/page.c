/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/page.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "node/words.h"

#define LABEL_VALUE_MAX 256
#define NUMBER_MAX 40

void
page_init(struct page *page)
{
	*page = (struct page){.buf = {.max = PAGE_MAX}};
}

void
page_fini(struct page *page)
{
	buf_fini(&page->buf);
}

int
page_finish(const struct page *page)
{
	return page->code;
}

static void
put(struct page *page, const char *text)
{
	if (page->code == 0)
		page->code = buf_append_text(&page->buf, text);
}

/* HELP knows no quotes, a label's value does. */
static void
put_escaped(struct page *page, const char *text, bool quotes)
{
	char clean[LABEL_VALUE_MAX * 4];

	words_clean(clean, sizeof clean, text, true);
	for (const char *at = clean; *at != 0; at++) {
		char one[2] = {*at, 0};

		if (*at == '\\')
			put(page, "\\\\");
		else if (*at == '\n')
			put(page, "\\n");
		else if (*at == '"' && quotes)
			put(page, "\\\"");
		else
			put(page, one);
	}
}

static void
put_number(struct page *page, double value)
{
	char text[NUMBER_MAX];

	if (isnan(value))
		snprintf(text, sizeof text, "NaN");
	else if (isinf(value))
		snprintf(text, sizeof text, "%s", value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 9e15)
		snprintf(text, sizeof text, "%.0f", value);
	else
		snprintf(text, sizeof text, "%.12g", value);
	put(page, text);
}

void
page_family(struct page *page, const char *name, enum page_type type, const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	page->family = name;
	put(page, "# HELP ");
	put(page, name);
	put(page, " ");
	put_escaped(page, help, false);
	put(page, "\n# TYPE ");
	put(page, name);
	put(page, " ");
	put(page, types[type]);
	put(page, "\n");
}

static void
put_sample(struct page *page, const char *suffix, const struct page_label *labels, const char *le,
    double value)
{
	const char *before = "{";

	put(page, page->family);
	put(page, suffix);
	for (size_t i = 0; labels != NULL && labels[i].name != NULL; i++) {
		put(page, before);
		put(page, labels[i].name);
		put(page, "=\"");
		put_escaped(page, labels[i].value, true);
		put(page, "\"");
		before = ",";
	}
	if (le != NULL) {
		put(page, before);
		put(page, "le=\"");
		put(page, le);
		put(page, "\"");
		before = ",";
	}
	put(page, before[0] == ',' ? "} " : " ");
	put_number(page, value);
	put(page, "\n");
}

void
page_sample(struct page *page, const struct page_label *labels, double value)
{
	put_sample(page, "", labels, NULL, value);
}

void
page_histogram(
    struct page *page, const struct page_label *labels, const struct histogram *histogram)
{
	uint64_t count = 0;

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		char le[NUMBER_MAX] = "+Inf";

		count += histogram->buckets[i];
		if (i < HISTOGRAM_BOUNDS)
			snprintf(le, sizeof le, "%g", histogram_bounds[i]);
		put_sample(page, "_bucket", labels, le, (double)count);
	}
	put_sample(page, "_sum", labels, NULL, histogram->sum);
	put_sample(page, "_count", labels, NULL, (double)count);
}

void
page_figure(
    struct page *page, const char *name, enum page_type type, const char *help, double value)
{
	page_family(page, name, type, help);
	page_sample(page, NULL, value);
}
