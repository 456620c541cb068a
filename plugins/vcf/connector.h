/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VCF_CONNECTOR_H
#define VCF_CONNECTOR_H

/* What the parts of the plugin share.  Owner thread: the plugin's loop. */

#include <stdatomic.h>

#include <cairn/plugin.h>

#include "facts/facts.h"
#include "genomics/load.h"
#include "names.h"
#include "shelf.h"
#include "statement.h"

enum origin { ORIGIN_AUTO, ORIGIN_GERMLINE, ORIGIN_SOMATIC };

struct import;
struct watch;

struct connector {
	struct cairn *cairn;
	struct names *names;
	struct shelf *shelf;
	struct import *imports;
	struct facts *facts;
	struct statement *statement;
	struct watch *watch; /* NULL: nothing is watched */
	char *fasta;         /* NULL: variants are trimmed, not left-aligned */
	enum origin origin;
	bool declared, pass_only;
	unsigned threads;
	unsigned busy; /* jobs */
	bool stopping, closing;
	atomic_bool cancel_all;
};

/* A path of the configuration: relative ones are in the plugin's state folder.  Heap. */
char *connector_path(struct cairn *cairn, const char *text);
void connector_rest(struct connector *connector); /* something ended: stop() may go on */

/* ---- one file (job.c) --------------------------------------------------------------------- */

struct job_result {
	int code; /* 0: it is held now */
	bool duplicate;
	const char *reason; /* of a failure; or what was left out of a file that is held, or "" */
	uint64_t variants;
	uint32_t samples;
};
typedef void job_fn(void *arg, const struct job_result *result);

struct job;
/* Takes one file in, whole or not at all.  `done` is called once, later.  CAIRN_ENOMEM,
 * CAIRN_EUNAVAILABLE. */
int job_start(struct connector *connector, const char *path, const atomic_bool *cancelled,
    job_fn *done, void *arg);

/* ---- many (import.c) ---------------------------------------------------------------------- */

int import_start(struct connector *connector, struct cairn_request *req, struct cairn_error *err);
/* NULL: all. */
void import_cancel(struct connector *connector, const struct cairn_request *req);
/* States of the shelf up to `told` have been stated; or could not be: `failure`. */
void import_stated(struct connector *connector, uint64_t told, const char *failure);
bool import_is_name(const char *name); /* of a file of genotypes, by its end */

/* ---- a folder (watch.c) ------------------------------------------------------------------- */

int watch_new(struct watch **ret, struct connector *connector, const char *dir, unsigned settle_s,
    struct cairn_error *err);
void watch_close(struct watch *watch); /* its handles; it is freed once they are */
void watch_health(const struct watch *watch, struct cairn_findings *findings);

#endif
