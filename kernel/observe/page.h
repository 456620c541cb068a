/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_PAGE_H
#define OBSERVE_PAGE_H

/*
 * A page of figures in Prometheus' text exposition format 0.0.4: each family once, with HELP and
 * TYPE before its samples.  A failure (memory, PAGE_MAX) is kept and told by page_finish().
 */

#include "base/buf.h"
#include "base/histogram.h"

#define PAGE_MAX ((size_t)8 << 20)

enum page_type { PAGE_COUNTER, PAGE_GAUGE, PAGE_HISTOGRAM };

struct page {
	struct buf buf;
	const char *family;
	int code;
};

/* Ends with a NULL name.  Values may be any text: they are escaped, and what is no UTF-8 or
 * controls a terminal becomes '?'. */
struct page_label {
	const char *name, *value;
};

void page_init(struct page *page);
/* The samples that follow are of this family.  `name` lives as long as they are added. */
void page_family(struct page *page, const char *name, enum page_type type, const char *help);
void page_sample(struct page *page, const struct page_label *labels, double value);
void page_histogram(
    struct page *page, const struct page_label *labels, const struct histogram *histogram);
/* A family of one sample without labels. */
void page_figure(
    struct page *page, const char *name, enum page_type type, const char *help, double value);
/* 0 or what failed on the way. */
int page_finish(const struct page *page);
void page_fini(struct page *page);

#endif
