/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVENANCE_PROVENANCE_H
#define PROVENANCE_PROVENANCE_H

/*
 * Where a plugin's file comes from, judged on the very bytes that will run.
 *
 * provenance_open() opens the file once and copies it into a sealed memory file (memfd_create(2),
 * F_SEAL_WRITE): nobody, not even its owner, can change those bytes any more.  Digest, manifest
 * and signature are read from there, and the host is handed that descriptor to load from, so that
 * a swap between check and use is impossible.
 *
 * A file may run when its digest is pinned (HOME/plugins/trust), or when FILE.sig holds a
 * signature of it by a trusted publisher (HOME/keys/publishers), or, loudly, in development mode.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#include "provenance/publisher.h"
#include "provenance/signature.h"
#include "provenance/trust.h"

#define PROVENANCE_FILE_MAX ((size_t)256 << 20)

enum provenance_verdict {
	PROVENANCE_REFUSED,
	PROVENANCE_PINNED,
	PROVENANCE_SIGNED,
	PROVENANCE_DEVELOPMENT,
};

struct provenance {
	int fd; /* sealed; at least 3 */
	size_t size;
	void *bytes; /* the same, mapped */
	char digest[SIGNATURE_DIGEST_TEXT_MAX];
	enum provenance_verdict verdict;        /* REFUSED until it was judged */
	char publisher[PUBLISHER_NAME_MAX + 1]; /* whose signature verified, else "" */
	char text[CAIRN_ERROR_TEXT_MAX];        /* why, one sentence for a person */
};

/* `script` (may be NULL) is what a plugin that is no shared object runs: a file, or a folder of
 * files.  Then the bytes are a bundle (runtime/bundle.h) of `path` and what it runs. */
int provenance_open(
    const char *path, const char *script, struct provenance **ret, struct cairn_error *err);
void provenance_free(struct provenance *provenance); /* accepts NULL */

/* Sets verdict, publisher and text.  Fails only where the home cannot be read: a file that may not
 * run is a verdict, not an error. */
int provenance_judge(struct provenance *provenance, const char *home, const char *name,
    const char *path, bool development, struct cairn_error *err);

/* "pinned", "signed by acme", "refused", "development" */
void provenance_verdict_text(
    const struct provenance *provenance, char ret[PUBLISHER_NAME_MAX + 16]);

#endif
