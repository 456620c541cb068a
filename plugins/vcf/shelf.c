/* SPDX-License-Identifier: Apache-2.0 */
#include "shelf.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <cairn/plugin.h>

#include "base/file.h"
#include "base/text.h"

static void
shelved_free(struct shelved *shelved)
{
	if (shelved == NULL)
		return;
	carriers_close(shelved->carriers);
	free(shelved->patient);
	free(shelved);
}

static void
forget_patients(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->patient_count; i++)
		free(shelf->patients[i]);
	free(shelf->patients);
	shelf->patients = NULL;
	shelf->patient_count = 0;
}

void
shelf_free(struct shelf *shelf)
{
	if (shelf == NULL)
		return;
	for (size_t i = 0; i < shelf->count; i++)
		shelved_free(shelf->indexes[i]);
	free(shelf->indexes);
	forget_patients(shelf);
	free(shelf->dir);
	free(shelf);
}

void
shelf_name(const char *source, const char *content, char ret[SHELF_NAME])
{
	snprintf(ret, SHELF_NAME, "%.16s-%.16s.gx", source, content);
}

bool
shelf_has_content(const struct shelf *shelf, const char *content)
{
	for (size_t i = 0; i < shelf->count; i++) {
		if (memcmp(shelf->indexes[i]->name + SHELF_DIGEST + 1, content, SHELF_DIGEST) == 0)
			return true;
	}
	return false;
}

/* ---- the dictionary ----------------------------------------------------------------------- */

static int
compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All patients of all indexes, sorted, each once; `all` is filled with borrowed names first. */
static int
gather(struct shelf *shelf, char **all, size_t count)
{
	size_t kept = 0;

	qsort(all, count, sizeof *all, compare_text);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || strcmp(all[kept - 1], all[i]) != 0)
			all[kept++] = all[i];
	}
	for (size_t i = 0; i < kept; i++) {
		all[i] = strdup(all[i]);
		if (all[i] == NULL) {
			while (i > 0)
				free(all[--i]);
			return CAIRN_ENOMEM;
		}
	}
	forget_patients(shelf);
	shelf->patients = all;
	shelf->patient_count = kept;
	return 0;
}

static void
number_samples(struct shelf *shelf, struct shelved *shelved)
{
	uint32_t samples = carriers_head(shelved->carriers)->samples;

	for (uint32_t i = 0; i < samples; i++) {
		const char *name = carriers_patient(shelved->carriers, i);
		char **found = bsearch(
		    &name, shelf->patients, shelf->patient_count, sizeof name, compare_text);

		shelved->patient[i] = (uint32_t)(found - shelf->patients);
	}
}

static void
make_version(struct shelf *shelf)
{
	uint8_t digest[EVP_MAX_MD_SIZE] = {0};
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1) {
		for (size_t i = 0; i < shelf->patient_count; i++)
			EVP_DigestUpdate(
			    context, shelf->patients[i], strlen(shelf->patients[i]) + 1);
		EVP_DigestFinal_ex(context, digest, NULL);
	}
	EVP_MD_CTX_free(context);
	text_hex(digest, 8, shelf->version);
}

static int
number_patients(struct shelf *shelf, struct cairn_error *err)
{
	size_t count = 0, at = 0;
	char **all;

	for (size_t i = 0; i < shelf->count; i++)
		count += carriers_head(shelf->indexes[i]->carriers)->samples;
	all = count > SHELF_PATIENTS_MAX * 4ull ? NULL : malloc((count + 1) * sizeof *all);
	if (all == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory, or too many samples");
	for (size_t i = 0; i < shelf->count; i++) {
		const struct carriers *carriers = shelf->indexes[i]->carriers;

		for (uint32_t k = 0; k < carriers_head(carriers)->samples; k++)
			all[at++] = (char *)(uintptr_t)carriers_patient(carriers, k);
	}
	if (gather(shelf, all, count) != 0) {
		free(all);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < shelf->count; i++)
		number_samples(shelf, shelf->indexes[i]);
	make_version(shelf);
	return 0;
}

/* ---- index files -------------------------------------------------------------------------- */

static int
open_index(struct shelf *shelf, const char *name, struct shelved **ret, struct cairn_error *err)
{
	struct shelved *shelved = calloc(1, sizeof *shelved);
	char path[4096];
	int code = shelved == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory") : 0;

	if (code == 0 &&
	    (!text_copy(shelved->name, sizeof shelved->name, name) ||
		file_join(path, sizeof path, shelf->dir, name) != 0))
		code = cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	if (code == 0)
		code = carriers_open(&shelved->carriers, path, true, err);
	if (code == 0) {
		shelved->patient =
		    calloc((size_t)carriers_head(shelved->carriers)->samples + 1, sizeof(uint32_t));
		if (shelved->patient == NULL)
			code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	if (code != 0)
		shelved_free(shelved);
	else
		*ret = shelved;
	return code;
}

static int
append(struct shelf *shelf, struct shelved *shelved, struct cairn_error *err)
{
	struct shelved **grown;

	if (shelf->count == SHELF_INDEXES_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "%u files are held, which is all", SHELF_INDEXES_MAX);
	grown = realloc(shelf->indexes, (shelf->count + 1) * sizeof(struct shelved *));
	if (grown == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	shelf->indexes = grown;
	grown[shelf->count++] = shelved;
	return 0;
}

static void
drop(struct shelf *shelf, size_t index)
{
	char path[4096];

	if (file_join(path, sizeof path, shelf->dir, shelf->indexes[index]->name) == 0)
		unlink(path);
	shelved_free(shelf->indexes[index]);
	shelf->indexes[index] = shelf->indexes[--shelf->count];
}

/* The one that stands for the same source as `shelved`; SIZE_MAX. */
static size_t
same_source(const struct shelf *shelf, const struct shelved *shelved)
{
	for (size_t i = 0; i < shelf->count; i++) {
		if (shelf->indexes[i] != shelved &&
		    memcmp(shelf->indexes[i]->name, shelved->name, SHELF_DIGEST) == 0)
			return i;
	}
	return SIZE_MAX;
}

static time_t
written(const struct shelf *shelf, const char *name)
{
	struct stat status;
	char path[4096];

	return file_join(path, sizeof path, shelf->dir, name) == 0 && stat(path, &status) == 0
	    ? status.st_mtime
	    : 0;
}

/* At most one index for each source: a crash may have left the older one. */
static int
take_found(struct shelf *shelf, const char *name, struct cairn_error *err)
{
	struct shelved *shelved;
	struct cairn_error why = {0};
	size_t other;
	int code = open_index(shelf, name, &shelved, &why);

	if (code != 0) {
		cairn_log(CAIRN_LOG_ERROR, "%s; its variants are in no answer", why.text);
		shelf->damaged++;
		return code == CAIRN_ENOMEM ? cairn_error_set(err, code, "%s", why.text) : 0;
	}
	other = same_source(shelf, shelved);
	if (other != SIZE_MAX &&
	    written(shelf, shelf->indexes[other]->name) > written(shelf, name)) {
		shelved_free(shelved);
		return 0;
	}
	code = append(shelf, shelved, err);
	if (code != 0)
		shelved_free(shelved);
	else if (other != SIZE_MAX)
		drop(shelf, other);
	return code;
}

static int
find_all(struct shelf *shelf, struct cairn_error *err)
{
	DIR *dir = opendir(shelf->dir);
	struct dirent *entry;
	char path[4096];
	int code = 0;

	if (dir == NULL)
		return cairn_error_set(err, CAIRN_EIO, "cannot list %s", shelf->dir);
	while (code == 0 && (entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' && length > 2) {
			/* What a load that was killed left; a young one may be under way in the
			 * process that we take over from. */
			if (file_join(path, sizeof path, shelf->dir, entry->d_name) == 0 &&
			    written(shelf, entry->d_name) + 3600 < time(NULL))
				unlink(path);
		} else if (length == SHELF_NAME - 1 &&
		    strcmp(entry->d_name + length - 3, ".gx") == 0) {
			code = take_found(shelf, entry->d_name, err);
		}
	}
	closedir(dir);
	return code;
}

int
shelf_open(struct shelf **ret, const char *dir, struct cairn_error *err)
{
	struct shelf *shelf = calloc(1, sizeof *shelf);
	int code = file_mkdirs(dir, 0700, err);

	if (shelf == NULL || (shelf->dir = strdup(dir)) == NULL) {
		free(shelf);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	if (code == 0)
		code = find_all(shelf, err);
	if (code == 0)
		code = number_patients(shelf, err);
	if (code != 0) {
		shelf_free(shelf);
		return code;
	}
	*ret = shelf;
	return 0;
}

int
shelf_add(struct shelf *shelf, const char *name, bool *ret_replaced, struct cairn_error *err)
{
	struct shelved *shelved;
	size_t other;
	int code = open_index(shelf, name, &shelved, err);

	if (code != 0)
		return code;
	code = append(shelf, shelved, err);
	if (code != 0) {
		shelved_free(shelved);
		return code;
	}
	other = same_source(shelf, shelved);
	*ret_replaced = other != SIZE_MAX;
	if (*ret_replaced)
		drop(shelf, other);
	return number_patients(shelf, err);
}
